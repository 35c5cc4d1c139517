// reuse returns next, with every part that equals the same part of prev replaced
// by that part, so that only what has changed is drawn again. Members of lists
// are matched by what names them, else by position.
export function reuse<T>(prev: any, next: T): T {
  if (prev === next || !prev || !next || typeof prev !== 'object' || typeof next !== 'object') return next
  if (Array.isArray(next)) {
    if (!Array.isArray(prev)) return next
    const known = new Map<unknown, any>(prev.map((p, i) => [name(p) ?? i, p]))
    let same = prev.length === next.length
    next.forEach((n: any, i) => {
      next[i] = reuse(known.get(name(n) ?? i), n)
      if (next[i] !== prev[i]) same = false
    })
    return same ? prev as T : next
  }
  if (Array.isArray(prev)) return next
  const into = next as Record<string, unknown>
  let same = Object.keys(prev).length === Object.keys(into).length
  for (const key in into) {
    into[key] = reuse(prev[key], into[key])
    if (into[key] !== prev[key]) same = false
  }
  return same ? prev : next
}

function name(o: any): unknown {
  return o && typeof o === 'object' ? (o.ts ?? o.block_id ?? o.id ?? o.key) : undefined
}
