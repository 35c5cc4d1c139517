import { getContext, setContext } from 'svelte'
import { post } from '../lib/api'
import { spoken } from '../lib/complete'
import { Live } from '../lib/live.svelte'
import { escape, plain, type Names } from '../lib/mrkdwn'
import type { Answer, Channel, Json, Message, Option, Place, State, User } from '../lib/wire'

const api = '/workspace/api'

export interface Question { title: string; text: Json | undefined; confirm: string; deny: string; danger: boolean; answer: (yes: boolean) => void }

// Chat is what one person sees of the workspace and does in it.
export class Chat {
  live = new Live<State>()
  as = $state('')
  channelId = $state('')
  // app: the app's own page is open instead of a channel.
  app = $state<'' | 'home' | 'messages'>('')
  thread = $state('')
  question = $state.raw<Question | null>(null)
  trouble = $state('')
  read = $state<Record<string, string>>({})
  // fresh is where "New" is drawn: the newest message that was read when the channel was opened.
  fresh = $state('')
  dismissed = $state<Record<string, true>>({})
  drafts: Record<string, string> = {}
  #started = ''

  state = $derived(this.live.value)
  users = $derived(new Map((this.state?.users ?? []).map((u) => [u.id, u])))
  people = $derived((this.state?.users ?? []).filter((u) => u.kind !== 'bot' && u.kind !== 'deactivated'))
  channels = $derived((this.state?.channels ?? []).filter((c) => !c.direct))
  direct = $derived((this.state?.channels ?? []).find((c) => c.direct))
  channel = $derived.by((): Channel | undefined => {
    if (this.app) return this.app === 'messages' ? this.direct : undefined
    return this.channels.find((c) => c.id === this.channelId) ?? this.channels[0]
  })
  view = $derived((this.state?.views ?? []).at(-1))
  me = $derived(this.users.get(this.as))

  start(as: string) {
    this.as = as
    this.thread = ''
    const who = '?as=' + encodeURIComponent(as)
    this.live.follow(`${api}/state${who}`, `${api}/events${who}`)
    if (this.app) void this.openApp(this.app)
  }

  // markRead takes what is there at first sight as read.
  markRead() {
    if (!this.state || this.#started === this.as) return
    this.#started = this.as
    for (const c of this.state.channels) {
      const key = this.key(c.id)
      this.read[key] ??= this.newest(c.id)
    }
    this.fresh = ''
  }

  key = (channel: string) => this.as + '/' + channel

  names: Names = {
    user: (id) => this.nameOf(id),
    channel: (id) => this.state?.channels.find((c) => c.id === id)?.name ?? id,
    group: (id) => this.state?.groups?.find((g) => g.id === id)?.handle ?? 'group',
  }

  nameOf(id: string | undefined): string {
    if (!id) return this.state?.team.name ?? 'Workspace'
    const u = this.users.get(id)
    return u ? u.real || u.name : id
  }

  user(id: string | undefined): User | undefined { return id ? this.users.get(id) : undefined }

  // all is everything that was said in a channel, with what only this person sees.
  all(channel: string): Message[] {
    const said = this.state?.messages[channel] ?? []
    const ephemerals = (this.state?.ephemerals ?? []).filter((m) => (m.channel || this.direct?.id) === channel && !this.dismissed[m.ts])
    return ephemerals.length ? [...said, ...ephemerals].sort(byTime) : said
  }

  shown(channel: string): Message[] { return this.all(channel).filter((m) => !m.thread || m.broadcast || m.thread === m.ts) }

  answers(channel: string, ts: string): Message[] { return this.all(channel).filter((m) => m.thread === ts && m.ts !== ts) }

  newest(channel: string): string { return this.shown(channel).at(-1)?.ts ?? '0' }

  unread(channel: string): { any: boolean; mine: number } {
    const since = this.read[this.key(channel)] ?? '~'
    const news = this.shown(channel).filter((m) => m.ts > since && m.user !== this.as && !m.only)
    return { any: news.length > 0, mine: news.filter((m) => this.mentions(m)).length }
  }

  mentions(m: Message): boolean {
    return m.text.includes(`<@${this.as}>`) || (!!m.blocks?.length && JSON.stringify(m.blocks).includes(`<@${this.as}>`))
  }

  plain(text: string): string { return plain(text, this.names) }

  openChannel(id: string) {
    const since = this.read[this.key(id)] ?? ''
    this.fresh = this.unread(id).any ? since : ''
    this.app = ''
    this.thread = ''
    this.channelId = id
    this.trouble = ''
  }

  async openApp(tab: 'home' | 'messages') {
    this.app = tab
    this.thread = ''
    this.trouble = ''
    this.fresh = ''
    if (tab === 'home') await this.request('/home', {})
  }

  // request does something as this person; what went wrong is shown where they look.
  async request(path: string, body: object): Promise<Answer> {
    this.trouble = ''
    const answer = await post(api + path, { as: this.as, ...body })
    if (!answer.ok) this.trouble = answer.error || 'That did not work.'
    void this.live.refresh()
    return answer
  }

  async click(at: Place, action: string, confirm?: Json) {
    if (confirm && !(await this.ask(confirm))) return
    await this.request('/click', { ...at, action })
  }

  async choose(at: Place, action: string, value: string, confirm?: Json): Promise<boolean> {
    if (confirm && !(await this.ask(confirm))) return false
    return (await this.request('/choose', { ...at, action, value })).ok
  }

  shortcuts(message: boolean) { return (this.state?.app.shortcuts ?? []).filter((s) => s.message === message) }

  async shortcut(callback: string, at: Place = {}) {
    await this.request('/shortcut', { callback, ...at })
  }

  async suggest(at: Place, action: string, typed: string): Promise<Option[] | string> {
    const answer = await post(api + '/suggest', { as: this.as, ...at, action, typed })
    return answer.ok ? answer.options ?? [] : answer.error || 'Options could not be loaded.'
  }

  ask(confirm: Json): Promise<boolean> {
    return new Promise((resolve) => {
      this.question = {
        title: confirm.title?.text ?? 'Are you sure?', text: confirm.text, confirm: confirm.confirm?.text ?? 'Yes', deny: confirm.deny?.text ?? 'No',
        danger: confirm.style === 'danger',
        answer: (yes) => {
          this.question = null
          resolve(yes)
        },
      }
    })
  }

  // say sends what was typed: a command when it begins with a slash.
  async say(channel: string, thread: string, text: string): Promise<Answer> {
    const command = this.state?.app.command ?? '/rollcall'
    if (/^\/\S/.test(text) && !thread) {
      const [, first, rest] = /^(\S+)\s*([^]*)$/.exec(text)!
      if (first !== command) return { ok: false, error: `${first} is not a command here; ${command} is.` }
      return this.request('/command', { channel, text: escape(rest.trim()) })
    }
    if (/^\/\S/.test(text)) return { ok: false, error: 'Commands do not work in threads. Write it in the channel.' }
    return this.request('/say', { channel, thread, text: this.state ? spoken(text, this.state) : escape(text) })
  }
}

const byTime = (a: Message, b: Message) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0)

const key = Symbol('chat')
export const provideChat = (chat: Chat) => setContext(key, chat)
export const useChat = () => getContext<Chat>(key)
