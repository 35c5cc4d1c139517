import type { Attachment } from 'svelte/attachments'

// popup puts a list into the browser's top layer, next to its anchor: below it,
// or above where there is more room. It is not cut off by what scrolls, and
// follows its anchor.
export function popup(anchor: () => HTMLElement | undefined, width: 'anchor' | 'own' = 'anchor', end = false): Attachment<HTMLElement> {
  return (node) => {
    node.popover = 'manual'
    node.showPopover()
    const place = () => {
      const a = anchor()?.getBoundingClientRect()
      if (!a) return
      if (width === 'anchor') node.style.setProperty('width', `${a.width}px`)
      const below = innerHeight - a.bottom - 12
      const above = a.top - 12
      const up = below < Math.min(node.scrollHeight, 280) && above > below
      node.style.setProperty('max-height', `${Math.max(120, Math.min(320, up ? above : below))}px`)
      const left = end ? a.right - node.offsetWidth : a.left
      node.style.setProperty('left', `${Math.max(8, Math.min(left, innerWidth - node.offsetWidth - 8))}px`)
      node.style.setProperty('top', `${up ? a.top - node.offsetHeight - 4 : a.bottom + 4}px`)
    }
    place()
    const watch = new ResizeObserver(place)
    watch.observe(node)
    addEventListener('scroll', place, true)
    addEventListener('resize', place)
    return () => {
      watch.disconnect()
      removeEventListener('scroll', place, true)
      removeEventListener('resize', place)
    }
  }
}
