// The short codes that people and apps use here; any other stays as it is written.
const codes: Record<string, string> = {
  '+1': '👍', '-1': '👎', thumbsup: '👍', thumbsdown: '👎', white_check_mark: '✅', heavy_check_mark: '✔️', x: '❌', warning: '⚠️',
  hourglass: '⌛', hourglass_flowing_sand: '⏳', rocket: '🚀', hand: '✋', raised_hand: '✋', lock: '🔒', unlock: '🔓', eyes: '👀',
  tada: '🎉', rotating_light: '🚨', arrow_right: '➡️', arrow_left: '⬅️', rewind: '⏪', package: '📦', link: '🔗', heart: '❤️',
  wave: '👋', bell: '🔔', no_bell: '🔕', no_entry: '⛔', no_entry_sign: '🚫', question: '❓', exclamation: '❗', bug: '🐛', fire: '🔥',
  ticket: '🎫', wrench: '🔧', hammer: '🔨', construction: '🚧', gear: '⚙️', mag: '🔍', memo: '📝', pray: '🙏', clap: '👏', smile: '😄',
  slightly_smiling_face: '🙂', thinking_face: '🤔', green_heart: '💚', red_circle: '🔴', large_green_circle: '🟢', large_yellow_circle: '🟡',
  white_circle: '⚪', octagonal_sign: '🛑', stop_sign: '🛑', repeat: '🔁', leftwards_arrow_with_hook: '↩️', zap: '⚡', boom: '💥',
  shopping_trolley: '🛒', coffee: '☕', sparkles: '✨', bulb: '💡', clipboard: '📋', calendar: '📅', chart_with_upwards_trend: '📈',
}

export function emoji(code: string): string | undefined {
  return Object.hasOwn(codes, code) ? codes[code] : undefined
}

// emojify replaces the short codes in a plain text.
export function emojify(text: string): string {
  return text.replace(/:([a-z0-9_+-]+):/g, (all, code) => emoji(code) ?? all)
}
