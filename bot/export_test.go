package bot

import "context"

// PostDigests posts the digests that are due, as Run does by the clock.
func (b *Bot) PostDigests(ctx context.Context) error { return b.postDigests(ctx) }
