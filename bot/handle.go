package bot

import "context"

// Answer is what Slack must hear at once, within its three seconds: a
// *slack.ViewSubmissionResponse with errors by block, an options answer, or
// nil for an empty 200. It reads nothing and does nothing.
func (b *Bot) Answer(r Request) any {
	return nil
}

// Handle does what the request asks for, after it was acknowledged. An error
// means that it may be tried again with the same request: the request's key is
// the intent's token, so nothing happens twice.
func (b *Bot) Handle(ctx context.Context, r Request) error {
	return nil
}
