import { emoji } from './emoji'
import { dated } from './time'

// Slack's markup as a tree. Nothing of it ever becomes HTML source: the
// components make elements from the tree, and text stays text.

export type Node =
  | string
  | { t: 'b' | 'i' | 's'; c: Node[] }
  | { t: 'code'; v: string }
  | { t: 'link'; url: string; c: Node[] }
  | { t: 'user' | 'channel' | 'group'; id: string; label: string }
  | { t: 'all'; v: string }
  | { t: 'date'; at: number; v: string; url: string; c: Node[] }

export type Line =
  | { t: 'line' | 'bullet'; c: Node[] }
  | { t: 'quote'; lines: Line[] }
  | { t: 'pre'; v: string }
  | { t: 'gap' }

const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' }

export const unescape = (s: string) => s.replace(/&(amp|lt|gt);/g, (e) => entities[e])
export const escape = (s: string) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')

// safe is an address that may become a link; everything else stays text.
export const safe = (url: string) => /^(https?:\/\/|mailto:|\/(?!\/))/i.test(url)

const known = new Map<string, Line[]>()

export function parse(text: string): Line[] {
  let lines = known.get(text)
  if (!lines) {
    if (known.size > 400) known.clear()
    lines = blocks(text)
    known.set(text, lines)
  }
  return lines
}

function blocks(text: string): Line[] {
  const out: Line[] = []
  const parts = text.split('```')
  parts.forEach((part, i) => {
    if (i % 2 === 1 && i < parts.length - 1) {
      out.push({ t: 'pre', v: unescape(part.replace(/^\n|\n$/g, '')).replace(/<([^>|]+)(\|[^>]*)?>/g, '$1') })
      return
    }
    if (i % 2 === 1) part = '```' + part
    if (i > 0) part = part.replace(/^\n/, '')
    if (i < parts.length - 1) part = part.replace(/\n$/, '')
    if (part) for (const line of part.split('\n')) push(out, line)
  })
  return out
}

function push(out: Line[], raw: string) {
  const quoted = /^(?:&gt;|>) ?(.*)$/.exec(raw)
  if (quoted) {
    let last = out.at(-1)
    if (last?.t !== 'quote') out.push((last = { t: 'quote', lines: [] }))
    push(last.lines, quoted[1])
    return
  }
  const bullet = /^\s*[•◦▪-] (.*)$/.exec(raw)
  if (bullet) out.push({ t: 'bullet', c: inline(bullet[1]) })
  else if (raw.trim() === '') out.push({ t: 'gap' })
  else out.push({ t: 'line', c: inline(raw) })
}

const marks: Record<string, 'b' | 'i' | 's'> = { '*': 'b', _: 'i', '~': 's' }
const opens = /[\s([{"'“‘*_~\-–—:/]/
const word = /[\p{L}\p{N}]/u

export function inline(s: string): Node[] {
  const out: Node[] = []
  let plain = ''
  const add = (n: Node) => {
    if (plain) out.push(unescape(plain))
    plain = ''
    out.push(n)
  }
  for (let i = 0; i < s.length; ) {
    const c = s[i]
    if (c === '<') {
      const end = s.indexOf('>', i)
      const n = end > i + 1 && special(s.slice(i + 1, end))
      if (n) {
        add(n)
        i = end + 1
        continue
      }
    } else if (c === '`') {
      const end = s.indexOf('`', i + 1)
      if (end > i + 1) {
        add({ t: 'code', v: unescape(s.slice(i + 1, end)) })
        i = end + 1
        continue
      }
    } else if (marks[c] && (i === 0 || opens.test(s[i - 1]))) {
      const end = closing(s, i, c)
      if (end > 0) {
        add({ t: marks[c], c: inline(s.slice(i + 1, end)) })
        i = end + 1
        continue
      }
    } else if (c === ':') {
      const m = /^:([a-z0-9_+-]+):/.exec(s.slice(i, i + 40))
      const sign = m && emoji(m[1])
      if (m && sign) {
        plain += sign
        i += m[0].length
        continue
      }
    }
    plain += c
    i++
  }
  if (plain) out.push(unescape(plain))
  return out
}

// closing finds the mark that ends what the one at i begins; -1: it begins nothing.
function closing(s: string, i: number, mark: string): number {
  if (s[i + 1] === undefined || /\s/.test(s[i + 1]) || s[i + 1] === mark) return -1
  for (let j = i + 1; j < s.length; j++) {
    if (s[j] === '<' || s[j] === '`') {
      const skip = s.indexOf(s[j] === '<' ? '>' : '`', j + 1)
      if (skip > 0) j = skip
      continue
    }
    if (s[j] === mark && j > i + 1 && !/\s/.test(s[j - 1]) && !word.test(s[j + 1] ?? ' ')) return j
  }
  return -1
}

// special reads what stands between < and >.
function special(inside: string): Node | undefined {
  const bar = inside.indexOf('|')
  const target = bar < 0 ? inside : inside.slice(0, bar)
  const label = bar < 0 ? '' : inside.slice(bar + 1)
  if (target.startsWith('@')) return { t: 'user', id: target.slice(1), label: unescape(label) }
  if (target.startsWith('#')) return { t: 'channel', id: target.slice(1), label: unescape(label) }
  if (target.startsWith('!subteam^')) return { t: 'group', id: target.slice(9), label: unescape(label) }
  if (target.startsWith('!date^')) {
    const [, at, format, url] = target.split('^')
    const seconds = Number(at)
    return { t: 'date', at: seconds, v: Number.isFinite(seconds) && at !== '' ? dated(seconds, format ?? '') : label, url: url ?? '', c: [] }
  }
  if (target.startsWith('!')) return { t: 'all', v: unescape(label || target.slice(1).split('^')[0]) }
  const url = unescape(target)
  if (!safe(url)) return undefined
  return { t: 'link', url, c: label ? inline(label) : [url.replace(/^mailto:/, '')] }
}

export interface Names { user(id: string): string; channel(id: string): string; group(id: string): string }

// plain is the text without its marks, for those who listen.
export function plain(text: string, names: Names): string {
  const flat = (nodes: Node[]): string =>
    nodes.map((n) => {
      if (typeof n === 'string') return n
      switch (n.t) {
        case 'code': case 'date': return n.v
        case 'all': return '@' + n.v
        case 'user': return names.user(n.id)
        case 'channel': return '#' + names.channel(n.id)
        case 'group': return '@' + (n.label.replace(/^@/, '') || names.group(n.id))
      }
      return flat(n.c)
    }).join('')
  const say = (lines: Line[]): string =>
    lines.map((l) => (l.t === 'gap' ? '' : l.t === 'pre' ? l.v : l.t === 'quote' ? say(l.lines) : flat(l.c))).join('\n')
  return say(parse(text))
}
