import type { Json, View } from '../lib/wire'

// Form holds what is typed into a view's inputs, by block_id, as the page API
// takes it: text, an option's value, several of them with commas.
export class Form {
  values = $state<Record<string, string>>({})
  errors = $state<Record<string, string>>({})

  // take adds the inputs that are new in the view; what was typed stays.
  take(view: View) {
    const there = new Set<string>()
    for (const block of view.blocks ?? []) {
      if (block.type !== 'input' || !block.element) continue
      const id = block.block_id as string
      there.add(id)
      const stored = view.values?.[id]?.[block.element.action_id]
      const value = this.values[id]
      if (value === undefined || !possible(block.element, value)) this.values[id] = stored ? entered(stored) : initial(block.element)
    }
    for (const id of Object.keys(this.values)) if (!there.has(id)) delete this.values[id]
  }

  // check finds required inputs without a value, and texts of the wrong length.
  check(view: View): Record<string, string> {
    const wrong: Record<string, string> = {}
    for (const block of view.blocks ?? []) {
      if (block.type !== 'input' || !block.element) continue
      const value = this.values[block.block_id] ?? ''
      const length = [...value].length
      if (!value.trim()) {
        if (!block.optional) wrong[block.block_id] = 'Please complete this required field.'
      } else if (block.element.min_length && length < block.element.min_length) {
        wrong[block.block_id] = `At least ${block.element.min_length} characters, please.`
      } else if (block.element.max_length && length > block.element.max_length) {
        wrong[block.block_id] = `At most ${block.element.max_length} characters, please.`
      }
    }
    return wrong
  }

  // sent is what goes to the app: an empty choice is left out, an empty text is said.
  sent(view: View): Record<string, string> {
    const all: Record<string, string> = {}
    for (const block of view.blocks ?? []) {
      if (block.type !== 'input' || !block.element) continue
      const value = this.values[block.block_id] ?? ''
      if (value || !/static_select$|external_select$|radio_buttons|^users|^conv|^chan|datetime/.test(block.element.type) || /^multi/.test(block.element.type)) {
        all[block.block_id] = value
      }
    }
    return all
  }
}

export const choices = (e: Json): Json[] => [...(e.options ?? []), ...(e.option_groups ?? []).flatMap((g: Json) => g.options ?? [])]

function possible(e: Json, value: string): boolean {
  if (value === '' || !(e.options || e.option_groups) || e.type === 'checkboxes' || e.type.startsWith('multi')) return true
  return choices(e).some((o) => o.value === value)
}

// initial is what an element holds that nobody touched.
export function initial(e: Json): string {
  const many = e.initial_options ?? e.initial_users ?? e.initial_conversations
  if (many) return many.map((o: Json | string) => (typeof o === 'string' ? o : o.value)).join(',')
  const one = e.initial_value ?? e.initial_option?.value ?? e.initial_user ?? e.initial_conversation ?? e.initial_channel ?? e.initial_date ??
    e.initial_time ?? e.initial_date_time
  return one === undefined || one === null ? '' : String(one)
}

// entered reads the state of an element as Slack writes it.
export function entered(state: Json): string {
  const many = state.selected_options ?? state.selected_users ?? state.selected_conversations
  if (many) return many.map((o: Json | string) => (typeof o === 'string' ? o : o.value)).join(',')
  const one = state.value ?? state.selected_option?.value ?? state.selected_user ?? state.selected_conversation ?? state.selected_channel ??
    state.selected_date ?? state.selected_time ?? state.selected_date_time
  return one === undefined || one === null ? '' : String(one)
}
