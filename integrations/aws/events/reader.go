package events

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	atOnce      = 10          // messages of one call, the most that SQS gives and takes
	longPoll    = 20          // seconds, the most that SQS waits
	notFaster   = time.Second // between two calls, should a queue not wait
	lineEvery   = time.Minute // about messages that are of no use
	mostOfText  = 200         // of what a message says, in a log
	mostWaiting = 1000        // messages that wait to be deleted
)

// Accounts say how AWS is called from some place.
type Accounts interface {
	Config(ctx context.Context, p accounts.Place) (aws.Config, error)
}

// Options are what a reader works with.
type Options struct {
	QueueURL string
	Region   string // of the queue, should its URL not say it
	Accounts Accounts
	Handlers []Handler
	Log      *slog.Logger
}

// Reader reads one queue.
type Reader struct {
	o        Options
	toDelete chan string // receipt handles

	useless int       // messages of no use since the last line about them
	said    time.Time // when that was
}

// NewReader returns a reader that has asked nobody yet.
func NewReader(o Options) *Reader {
	return &Reader{o: o, toDelete: make(chan string, mostWaiting)}
}

// Run reads the queue until ctx ends.
func (r *Reader) Run(ctx context.Context) error {
	var deleting sync.WaitGroup
	deleting.Go(func() { r.deleteAll(ctx) })
	defer deleting.Wait()
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		err := r.receive(ctx)
		pause := notFaster - time.Since(began)
		if err != nil && ctx.Err() == nil {
			_, message := accounts.Words(err)
			if failures == 0 {
				r.o.Log.Warn("the queue of AWS's events cannot be read; polling goes on, and what only events start waits", "problem", message)
			}
			pause = work.Backoff(failures)
			failures++
		} else if failures > 0 {
			r.o.Log.Info("the queue of AWS's events is read again")
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(pause, 0)):
		}
	}
	return nil
}

var queueRegion = regexp.MustCompile(`^https?://sqs\.([a-z0-9-]+)\.`)

func (r *Reader) client(ctx context.Context) (*sqs.Client, error) {
	p := accounts.Place{Session: "events", Region: r.o.Region}
	if m := queueRegion.FindStringSubmatch(r.o.QueueURL); m != nil {
		p.Region = m[1]
	}
	c, err := r.o.Accounts.Config(ctx, p)
	if err != nil {
		return nil, err
	}
	return sqs.NewFromConfig(c), nil
}

// receive waits for messages once, and hands them on.
func (r *Reader) receive(ctx context.Context) error {
	client, err := r.client(ctx)
	if err != nil {
		return err
	}
	out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &r.o.QueueURL, MaxNumberOfMessages: atOnce, WaitTimeSeconds: longPoll})
	if err != nil {
		return err
	}
	for _, m := range out.Messages {
		r.handOn(ctx, m)
	}
	return nil
}

// handOn gives a message to those whom it concerns. One that concerns nobody is deleted.
func (r *Reader) handOn(ctx context.Context, m types.Message) {
	handle := aws.ToString(m.ReceiptHandle)
	e, ok := Parse(aws.ToString(m.Body))
	if !ok {
		r.discard(m, e, "it is no event of EventBridge")
		return
	}
	var open atomic.Int32 // handlers that are not done, and this call
	open.Add(1)
	closeOne := func() {
		if open.Add(-1) == 0 {
			r.forget(handle)
		}
	}
	concerns := 0
	for _, h := range r.o.Handlers {
		if len(h.DetailTypes) > 0 && !slices.Contains(h.DetailTypes, e.DetailType) {
			continue
		}
		open.Add(1)
		done := sync.OnceFunc(closeOne)
		if r.ask(ctx, h, e, done) {
			concerns++
		} else {
			done()
		}
	}
	if concerns == 0 {
		r.discard(m, e, "it concerns nothing here")
		return
	}
	closeOne()
}

// ask asks one handler. What makes it panic would do so again: it is of no use.
func (r *Reader) ask(ctx context.Context, h Handler, e Event, done func()) (concerns bool) {
	defer func() {
		if fault := recover(); fault != nil {
			r.o.Log.Error("a handler of AWS's events panicked", "detail_type", short(e.DetailType), "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			concerns = false
		}
	}()
	return h.Handle(ctx, e, done)
}

// discard deletes a message that is of no use, with a line now and then.
func (r *Reader) discard(m types.Message, e Event, why string) {
	r.forget(aws.ToString(m.ReceiptHandle))
	r.useless++
	if now := time.Now(); now.Sub(r.said) >= lineEvery {
		r.o.Log.Info("a message in the queue of AWS's events is deleted unused: "+why, "message", aws.ToString(m.MessageId),
			"source", short(e.Source), "detail_type", short(e.DetailType), "messages", r.useless)
		r.useless, r.said = 0, now
	}
}

func short(text string) string { return words.Cut(clean.Line(text), mostOfText) }

// forget has a message deleted. Should there be no room it comes again, which does no harm.
func (r *Reader) forget(handle string) {
	select {
	case r.toDelete <- handle:
	default:
	}
}

// deleteAll takes the messages off the queue that are done with. One that could not
// be deleted comes again; that a right is missing is said now and then.
func (r *Reader) deleteAll(ctx context.Context) {
	var said time.Time
	for {
		var handles []string
		select {
		case <-ctx.Done():
			return
		case handle := <-r.toDelete:
			handles = append(handles, handle)
		}
		for len(handles) < atOnce && len(r.toDelete) > 0 {
			handles = append(handles, <-r.toDelete)
		}
		client, err := r.client(ctx)
		if err == nil {
			err = r.delete(ctx, client, handles)
		}
		if err != nil && ctx.Err() == nil {
			_, message := accounts.Words(err)
			level := slog.LevelDebug
			if now := time.Now(); accounts.Classify(err) == accounts.Denied && now.Sub(said) >= lineEvery {
				level, said = slog.LevelWarn, now
			}
			r.o.Log.Log(ctx, level, "messages could not be deleted; they come again", "messages", len(handles), "problem", message)
		}
	}
}

func (r *Reader) delete(ctx context.Context, client *sqs.Client, handles []string) error {
	if len(handles) == 1 {
		_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &r.o.QueueURL, ReceiptHandle: &handles[0]})
		return err
	}
	var batch []types.DeleteMessageBatchRequestEntry
	for i := range handles {
		batch = append(batch, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &handles[i]})
	}
	_, err := client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &r.o.QueueURL, Entries: batch})
	return err
}
