import { reuse } from './reuse'

// Live keeps a copy of something the server has: it fetches it, listens for
// "there is something newer", and fetches again. A missed event costs nothing,
// and a server that goes away and comes back is found again.
export class Live<T extends object> {
  value = $state.raw<T | null>(null)
  away = $state(false)

  #source: EventSource | undefined
  #state = ''
  #events = ''
  #busy = false
  #again = false
  #turn = 0
  #pause = 0
  #timer = 0
  #quiet = 0

  // follow starts following, or follows something else from now on.
  follow(state: string, events: string) {
    this.#state = state
    this.#events = events
    this.#turn++
    this.#busy = false
    void this.refresh()
    this.#listen()
  }

  close() {
    this.#turn++
    this.#source?.close()
    clearTimeout(this.#timer)
    clearTimeout(this.#quiet)
  }

  // refresh fetches once more; calls while a fetch runs become one more fetch.
  async refresh() {
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    const turn = this.#turn
    try {
      const response = await fetch(this.#state, { headers: { Accept: 'application/json' } })
      const next = response.ok ? ((await response.json()) as T) : null
      if (turn !== this.#turn) return
      if (next) this.value = reuse(this.value, next)
      else if (response.status === 503) window.setTimeout(() => turn === this.#turn && this.refresh(), 1000)
    } catch {
      // Whoever listens for events notices that the server is away.
    }
    if (turn !== this.#turn) return
    this.#busy = false
    if (this.#again) {
      this.#again = false
      void this.refresh()
    }
  }

  #listen() {
    this.#source?.close()
    clearTimeout(this.#timer)
    const source = new EventSource(this.#events)
    this.#source = source
    source.onopen = () => {
      this.#pause = 0
      clearTimeout(this.#quiet)
      this.#quiet = 0
      this.away = false
      void this.refresh()
    }
    source.onmessage = () => void this.refresh()
    source.onerror = () => {
      source.close()
      if (this.#source !== source) return
      // A restart takes a moment: say so only when it takes longer than that.
      if (!this.#quiet) this.#quiet = window.setTimeout(() => (this.away = true), 250)
      this.#pause = Math.min(2000, this.#pause * 2 || 120)
      this.#timer = window.setTimeout(() => this.#listen(), this.#pause)
    }
  }
}
