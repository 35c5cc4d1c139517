import type { Answer } from './wire'

// post tells the demo something. It never throws: what went wrong is in the answer.
export async function post(path: string, body: object): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Rollcall-Demo': '1' },
      body: JSON.stringify(body),
    })
  } catch {
    return { ok: false, error: 'Nobody is listening at the moment. Try again in a second.' }
  }
  const text = await response.text()
  try {
    const answer = JSON.parse(text)
    if (answer && typeof answer === 'object') {
      return { ...answer, ok: response.ok && answer.ok !== false, error: answer.error ?? answer.message }
    }
  } catch {
    // Not every refusal is JSON.
  }
  return { ok: response.ok, error: response.ok ? undefined : text.trim() || `The server said ${response.status}.` }
}
