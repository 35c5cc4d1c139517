const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const short = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', year: 'numeric' })
const long = new Intl.DateTimeFormat(undefined, { weekday: 'long', month: 'long', day: 'numeric' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })
const numeric = new Intl.DateTimeFormat('en-CA')

const date = (seconds: number | string) => new Date(Number(seconds) * 1000)

export const time = (ts: number | string) => clock.format(date(ts))
export const timeSeconds = (at: Date) => clockSeconds.format(at)
export const moment = (ts: number | string) => full.format(date(ts))
export const iso = (ts: number | string) => date(ts).toISOString()

// dayKey is the same for all moments of one day here.
export const dayKey = (ts: number | string) => date(ts).toDateString()

// nearby is "Today", "Yesterday" or undefined.
function nearby(day: Date): string | undefined {
  const now = new Date()
  if (day.toDateString() === now.toDateString()) return 'Today'
  now.setDate(now.getDate() - 1)
  return day.toDateString() === now.toDateString() ? 'Yesterday' : undefined
}

export const dayName = (ts: number | string) => nearby(date(ts)) ?? long.format(date(ts))

// dated fills in the format of <!date^…>.
export function dated(seconds: number, format: string): string {
  const at = date(seconds)
  const pretty = nearby(at)?.toLowerCase()
  return format.replace(/\{(\w+)\}/g, (all, token) => {
    switch (token) {
      case 'time': return clock.format(at)
      case 'time_secs': return clockSeconds.format(at)
      case 'date_num': return numeric.format(at)
      case 'date': case 'date_long': return long.format(at)
      case 'date_short': return short.format(at)
      case 'date_pretty': case 'date_long_pretty': return pretty ?? long.format(at)
      case 'date_short_pretty': return pretty ?? short.format(at)
    }
    return all
  })
}
