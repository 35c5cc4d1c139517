import { safe, type Node } from './mrkdwn'

// The little of Markdown that a "markdown" block needs, as a tree.

export type Block =
  | { t: 'h'; level: number; c: Node[] }
  | { t: 'p' | 'quote'; c: Node[] }
  | { t: 'ul' | 'ol'; items: Node[][] }
  | { t: 'pre'; v: string }
  | { t: 'hr' }

export function markdown(text: string): Block[] {
  const out: Block[] = []
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]
    const fence = /^```/.test(line)
    const heading = /^(#{1,6}) (.*)/.exec(line)
    const item = /^\s*(?:([-*+])|\d+[.)]) (.*)/.exec(line)
    const last = out.at(-1)
    if (fence) {
      const end = lines.findIndex((l, j) => j > i && /^```/.test(l))
      const stop = end < 0 ? lines.length : end
      out.push({ t: 'pre', v: lines.slice(i + 1, stop).join('\n') })
      i = stop
    } else if (heading) out.push({ t: 'h', level: heading[1].length, c: spans(heading[2]) })
    else if (/^(---+|\*\*\*+)\s*$/.test(line)) out.push({ t: 'hr' })
    else if (item) {
      const t = item[1] ? 'ul' : 'ol'
      if (last?.t === t && lines[i - 1]?.trim()) last.items.push(spans(item[2]))
      else out.push({ t, items: [spans(item[2])] })
    } else if (/^> ?/.test(line)) out.push({ t: 'quote', c: spans(line.replace(/^> ?/, '')) })
    else if (line.trim()) {
      if (last?.t === 'p' && lines[i - 1]?.trim()) last.c.push(' ', ...spans(line))
      else out.push({ t: 'p', c: spans(line) })
    }
  }
  return out
}

const pattern = /`([^`]+)`|\*\*(.+?)\*\*|__(.+?)__|~~(.+?)~~|\*([^*\s][^*]*?)\*|\b_([^_]+?)_\b|\[([^\]]+)\]\(([^)\s]+)\)/

function spans(s: string): Node[] {
  const m = pattern.exec(s)
  if (!m) return s ? [s] : []
  const before = s.slice(0, m.index)
  const after = spans(s.slice(m.index + m[0].length))
  const [all, code, b1, b2, strike, i1, i2, label, url] = m
  let node: Node = all
  if (code) node = { t: 'code', v: code }
  else if (b1 ?? b2) node = { t: 'b', c: spans(b1 ?? b2) }
  else if (strike) node = { t: 's', c: spans(strike) }
  else if (i1 ?? i2) node = { t: 'i', c: spans(i1 ?? i2) }
  else if (label && safe(url)) node = { t: 'link', url, c: spans(label) }
  return [...(before ? [before] : []), node, ...after]
}
