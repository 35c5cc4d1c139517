package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// receipts keeps receipts in memory, in the order they came. It outlives an inbox as a store outlives a process.
type receipts struct {
	mu      sync.Mutex
	all     []work.Receipt
	broken  error  // of every call
	reading func() // called when Pending has read, before it returns
	takes   time.Duration
}

func (s *receipts) find(key string) int {
	return slices.IndexFunc(s.all, func(r work.Receipt) bool { return r.Key == key })
}

func (s *receipts) Accept(_ context.Context, r work.Receipt) (work.Receipt, bool, error) {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return r, false, s.broken
	}
	if i := s.find(r.Key); i >= 0 {
		return s.all[i], false, nil
	}
	s.all = append(s.all, r)
	return r, true, nil
}

func (s *receipts) Finish(_ context.Context, key string, result []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	i := s.find(key)
	s.all[i].Done, s.all[i].Result = true, result
	return nil
}

func (s *receipts) Pending(context.Context, string) (open []work.Receipt, err error) {
	s.mu.Lock()
	open, err = slices.DeleteFunc(slices.Clone(s.all), func(r work.Receipt) bool { return r.Done }), s.broken
	reading := s.reading
	s.mu.Unlock()
	if reading != nil {
		reading()
	}
	return open, err
}

func (s *receipts) breakDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *receipts) state(key string) work.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[s.find(key)]
}

// office is an inbox that a test starts, feeds and kills. The queue of a
// request is its payload up to a slash.
type office struct {
	t     *testing.T
	store *receipts
	log   *bytes.Buffer
	o     InboxOptions
	inbox *Inbox

	mu   sync.Mutex
	did  []string // keys, as they were processed
	work func(ctx context.Context, r work.Receipt) error
}

func newOffice(t *testing.T) *office {
	f := &office{t: t, store: &receipts{}, log: &bytes.Buffer{}, work: func(context.Context, work.Receipt) error { return nil }}
	f.o = InboxOptions{Source: "test", Receipts: f.store, Finish: f.store.Finish, Workers: 4, LongestPause: 8 * time.Second,
		Queue: func(r work.Receipt) (string, bool) {
			name, _, ok := strings.Cut(string(r.Payload), "/")
			return name, ok
		},
		Process: func(ctx context.Context, r work.Receipt, try Try) ([]byte, error) {
			err := try(ctx, func(ctx context.Context) error { return f.work(ctx, r) })
			if err == nil {
				f.mu.Lock()
				f.did = append(f.did, r.Key)
				f.mu.Unlock()
			}
			return []byte("result of " + r.Key), err
		},
		Log: slog.New(slog.NewTextHandler(f.log, nil))}
	return f
}

// start begins a process. Its end waits for the inbox, as main does; a kill does not.
func (f *office) start() (end func()) {
	f.inbox = NewInbox(f.o)
	ctx, cancel := context.WithCancel(f.t.Context())
	inbox, ended := f.inbox, make(chan struct{})
	go func() {
		defer close(ended)
		if err := inbox.Run(ctx); err != nil {
			f.t.Error(err)
		}
	}()
	end = func() { cancel(); <-ended }
	f.t.Cleanup(end)
	return end
}

func (f *office) take(key, payload string, wait time.Duration) (work.Receipt, bool, error) {
	return f.inbox.Take(f.t.Context(), work.Receipt{Key: key, Source: "test", Payload: []byte(payload)}, wait)
}

func (f *office) done() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.did)
}

func (f *office) want(keys ...string) {
	f.t.Helper()
	if got := f.done(); !slices.Equal(got, keys) {
		f.t.Errorf("processed %v, want %v", got, keys)
	}
}

func inOffice(t *testing.T, story func(t *testing.T, f *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(t, newOffice(t)) })
}

func TestARequestIsProcessedAfterItIsDurableAndFinishedWithItsResult(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.work = func(_ context.Context, r work.Receipt) error {
			if got := f.store.state(r.Key); got.Done || string(got.Payload) != "ana/1" {
				t.Errorf("when it is processed the receipt is %+v", got)
			}
			time.Sleep(time.Minute)
			return nil
		}
		f.start()
		began := time.Now()
		if got, fresh, err := f.take("a", "ana/1", 0); err != nil || !fresh || got.Done || time.Since(began) != 0 {
			t.Errorf("%+v, %v, %v after %s", got, fresh, err, time.Since(began))
		}
		time.Sleep(2 * time.Minute)
		f.want("a")
		if got := f.store.state("a"); !got.Done || string(got.Result) != "result of a" {
			t.Errorf("afterwards the receipt is %+v", got)
		}
		if got, fresh, err := f.take("a", "ana/1", time.Minute); err != nil || fresh || string(got.Result) != "result of a" {
			t.Errorf("a repeat: %+v, %v, %v", got, fresh, err)
		}
		f.want("a")
	})
}

func TestWhatCannotBeMadeDurableIsNotProcessed(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.start()
		away := errors.New("the disk is full")
		f.store.breakDown(away)
		if _, _, err := f.take("a", "ana/1", time.Second); !errors.Is(err, away) {
			t.Error(err)
		}
		f.store.breakDown(nil)
		time.Sleep(time.Hour)
		f.want()
	})
}

// Whoever waits in Take gets the result, if it comes in time.
func TestTakeWaitsForTheResult(t *testing.T) {
	for name, c := range map[string]struct {
		takes  time.Duration
		closes bool // the process ends meanwhile
		done   bool
		after  time.Duration
	}{
		"in time":     {time.Second, false, true, time.Second},
		"late":        {time.Minute, false, false, 5 * time.Second},
		"at an end":   {time.Minute, true, false, 2 * time.Second},
		"immediately": {0, false, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, f *office) {
				f.work = func(ctx context.Context, _ work.Receipt) error {
					if !sleep(ctx, c.takes) {
						return ctx.Err()
					}
					return nil
				}
				end := f.start()
				if c.closes {
					go func() { time.Sleep(2 * time.Second); end() }()
				}
				began := time.Now()
				got, fresh, err := f.take("a", "ana/1", 5*time.Second)
				if err != nil || !fresh || got.Done != c.done || time.Since(began) != c.after {
					t.Errorf("%+v, %v, %v after %s", got, fresh, err, time.Since(began))
				}
				if c.done && string(got.Result) != "result of a" {
					t.Errorf("result %q", got.Result)
				}
			})
		})
	}
}

func TestQueuesKeepTheirOrderAndWaitForNoOther(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.work = func(_ context.Context, r work.Receipt) error {
			if r.Key == "a1" {
				time.Sleep(time.Minute)
			}
			return nil
		}
		f.start()
		for _, key := range []string{"a1", "b1", "a2", "b2", "a3"} {
			f.take(key, key[:1]+"/", 0)
		}
		f.want("b1", "b2")
		time.Sleep(time.Minute)
		f.want("b1", "b2", "a1", "a2", "a3")
	})
}

// A request that fails for a while keeps its place: what came after it in its queue waits.
func TestTriesAreRepeatedWithinTheirLimit(t *testing.T) {
	final := errors.New("refused")
	for name, c := range map[string]struct {
		retryFor time.Duration
		fails    int // tries before it works; -1: all
		err      error
		tries    int
		took     time.Duration
		done     []string
	}{
		"passes":          {time.Minute, 3, errors.New("away"), 4, 7 * time.Second, []string{"a", "b"}},
		"too long":        {20 * time.Second, -1, errors.New("away"), 5, 15 * time.Second, []string{"b"}},
		"without a limit": {0, 9, errors.New("away"), 10, 55 * time.Second, []string{"a", "b"}},
		"refused":         {time.Minute, -1, final, 1, 0, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, f *office) {
				f.o.RetryFor, f.o.Final = c.retryFor, func(err error) bool { return errors.Is(err, final) }
				process := f.o.Process
				f.o.Process = func(ctx context.Context, r work.Receipt, try Try) ([]byte, error) {
					_, err := process(ctx, r, try)
					return []byte(fmt.Sprint(err)), nil
				}
				tries, took, began := 0, time.Duration(0), time.Now()
				f.work = func(_ context.Context, r work.Receipt) error {
					if r.Key != "a" {
						return nil
					}
					if tries++; c.fails >= 0 && tries > c.fails {
						took = time.Since(began)
						return nil
					}
					took = time.Since(began)
					return c.err
				}
				f.start()
				f.take("a", "ana/1", 0)
				f.take("b", "ana/2", 0)
				time.Sleep(time.Hour)
				f.want(c.done...)
				if tries != c.tries || took != c.took {
					t.Errorf("%d tries in %s, want %d in %s", tries, took, c.tries, c.took)
				}
				if got := f.store.state("a"); !got.Done {
					t.Errorf("the receipt is %+v", got)
				}
			})
		})
	}
}

func TestAPanicIsContainedAndNotTriedAgain(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		var got error
		f.o.Process = func(ctx context.Context, r work.Receipt, try Try) ([]byte, error) {
			if err := try(ctx, func(context.Context) error { f.note(r.Key); panic("oh") }); err != nil {
				got = err
			}
			return nil, nil
		}
		f.start()
		f.take("a", "ana/1", 0)
		f.want("a")
		if p, ok := errors.AsType[*Panic](got); !ok || p.Value != "oh" || !strings.Contains(f.log.String(), "panicked") {
			t.Errorf("%v\n%s", got, f.log)
		}
	})
}

func (f *office) note(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, key)
}

// A crash between the acknowledgement and the finish loses nothing: the next
// start processes it, before anything that comes later in its queue.
func TestACrashBetweenAcknowledgementAndFinish(t *testing.T) {
	for name, c := range map[string]struct {
		kill func(f *office) // what the first process gets to do
		want []string
	}{
		"before it is queued": {func(f *office) {
			f.inbox = NewInbox(f.o) // never runs
			f.take("a", "ana/1", 0)
		}, []string{"a", "b"}},
		"while it is processed": {func(f *office) {
			f.work = func(ctx context.Context, _ work.Receipt) error { <-ctx.Done(); return ctx.Err() }
			end := f.start()
			f.take("a", "ana/1", 0)
			synctest.Wait()
			end()
		}, []string{"a", "b"}},
		"between two tries": {func(f *office) {
			f.work = func(context.Context, work.Receipt) error { return errors.New("away") }
			end := f.start()
			f.take("a", "ana/1", 0)
			time.Sleep(10 * time.Second)
			end()
		}, []string{"a", "b"}},
		"before the result is noted": {func(f *office) {
			end := f.start()
			f.work = func(context.Context, work.Receipt) error {
				f.store.breakDown(errors.New("the store is away"))
				return nil
			}
			f.take("a", "ana/1", 0)
			synctest.Wait()
			end()
		}, []string{"a", "a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, f *office) {
				c.kill(f)
				if got := f.store.state("a"); got.Done {
					t.Fatalf("after the crash the receipt is %+v", got)
				}
				f.store.breakDown(nil)
				f.work = func(context.Context, work.Receipt) error { return nil }
				f.start()
				synctest.Wait()
				f.take("b", "ana/2", 0)
				f.want(c.want...)
				if got := f.store.state("a"); !got.Done || string(got.Result) != "result of a" {
					t.Errorf("the receipt is %+v", got)
				}
			})
		})
	}
}

// The end gives what is being done a moment, and begins nothing more.
func TestTheEndDrains(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		after time.Duration
		done  []string
	}{
		"soon done": {4 * time.Second, 3 * time.Second, []string{"a"}},
		"too slow":  {time.Minute, 5 * time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, f *office) {
				f.o.Drain = 5 * time.Second
				f.work = func(ctx context.Context, _ work.Receipt) error {
					if !sleep(ctx, c.takes) {
						return ctx.Err()
					}
					return nil
				}
				end := f.start()
				f.take("a", "ana/1", 0)
				f.take("b", "ana/2", 0)
				time.Sleep(time.Second)
				began := time.Now()
				end()
				if took := time.Since(began); took != c.after {
					t.Errorf("the end took %s, want %s", took, c.after)
				}
				f.want(c.done...)
				f.take("c", "cho/1", 0) // durable, for the next start
				f.want(c.done...)
				if got := f.store.state("b"); got.Done {
					t.Error("b is finished")
				}
			})
		})
	}
}

// A receipt that became durable although Accept could not say so in time is found by a sweep.
func TestWhatBecameDurableTooLateIsFound(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.start()
		synctest.Wait()
		f.store.mu.Lock()
		f.store.all = append(f.store.all, work.Receipt{Key: "late", Payload: []byte("ana/1")}, work.Receipt{Key: "theirs"})
		f.store.mu.Unlock()
		time.Sleep(sweepEvery)
		f.want("late")
		if f.store.state("theirs").Done {
			t.Error("a receipt that is somebody else's to process was finished")
		}
	})
}

func TestAtTheStartPendingReceiptsAreReadUntilTheyCanBe(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.store.all = []work.Receipt{{Key: "a", Payload: []byte("ana/1")}, {Key: "b", Payload: []byte("ana/2")}}
		f.store.breakDown(errors.New("not yet"))
		f.start()
		time.Sleep(10 * time.Second)
		f.want()
		f.store.breakDown(nil)
		time.Sleep(longestPauses)
		f.want("a", "b")
		if !strings.Contains(f.log.String(), "accepted requests cannot be read") {
			t.Error("the log does not say so")
		}
	})
}

// What ends while a sweep reads is in what it read, and must not be processed a second time.
func TestASweepTakesUpNothingThatJustEnded(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		free := make(chan struct{})
		f.work = func(context.Context, work.Receipt) error { <-free; return nil }
		f.start()
		synctest.Wait() // the first sweep is over
		f.take("a", "ana/1", 0)
		f.store.mu.Lock()
		f.store.reading = sync.OnceFunc(func() { close(free); f.done() })
		f.store.mu.Unlock()
		time.Sleep(3 * sweepEvery)
		f.want("a")
	})
}

// What Take is making durable while a sweep reads, Take alone queues.
func TestASweepLeavesToTakeWhatIsArriving(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.store.takes = time.Second
		f.store.all = []work.Receipt{{Key: "a", Payload: []byte("ana/1")}} // durable, and Accept has not returned
		f.inbox = NewInbox(f.o)
		f.inbox.arrives("a")
		if !f.inbox.sweep(t.Context()) || f.inbox.queued["a"] {
			t.Error("the sweep queued what is arriving")
		}
		f.inbox.arrived("a")
		if !f.inbox.sweep(t.Context()) || !f.inbox.queued["a"] {
			t.Error("what does not arrive any more was left")
		}
	})
}

func TestTooManyRequestsAreRefusedBeforeTheyAreDurable(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		free := make(chan struct{})
		f.o.Limit = 2
		f.work = func(context.Context, work.Receipt) error { <-free; return nil }
		f.start()
		for _, key := range []string{"a", "b"} {
			if _, _, err := f.take(key, key+"/", 0); err != nil {
				t.Error(err)
			}
		}
		if _, _, err := f.take("c", "c/", 0); !errors.Is(err, ErrFull) || f.store.find("c") >= 0 {
			t.Errorf("%v, place %d", err, f.store.find("c"))
		}
		close(free)
		synctest.Wait()
		if _, _, err := f.take("c", "c/", 0); err != nil {
			t.Error("when there is room again:", err)
		}
	})
}

func TestWorkersAreBoundedAndReleasedEarly(t *testing.T) {
	for name, release := range map[string]bool{"busy to the end": false, "released": true} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, f *office) {
				f.o.Workers = 2
				begun := 0
				f.work = func(ctx context.Context, _ work.Receipt) error {
					f.mu.Lock()
					begun++
					f.mu.Unlock()
					if release {
						Release(ctx)
						Release(ctx) // once is enough
					}
					time.Sleep(time.Minute)
					return nil
				}
				f.start()
				for n := range 5 {
					f.take(fmt.Sprint("r", n), fmt.Sprint("q", n%4, "/"), 0) // the last one's queue is the first one's
				}
				want := 2
				if release {
					want = 5
				}
				if f.done(); begun != want {
					t.Errorf("%d were begun, want %d", begun, want)
				}
			})
		})
	}
}

// A vendor that repeats what failed is told of a failed try; the repeat waits
// for the request itself, which is tried on.
func TestARepeatResumesWhatIsNotFinished(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.o.Resume, f.o.ReportTries = true, true
		away := errors.New("away")
		var back atomic.Bool
		f.work = func(context.Context, work.Receipt) error {
			if back.Load() {
				return nil
			}
			return away
		}
		f.start()
		if _, fresh, err := f.take("a", "ana/1", time.Minute); !fresh || !errors.Is(err, away) {
			t.Errorf("%v, %v", fresh, err)
		}
		back.Store(true)
		got, fresh, err := f.take("a", "ana/1", time.Minute)
		if err != nil || !fresh || !got.Done || string(got.Result) != "result of a" {
			t.Errorf("again: %+v, %v, %v", got, fresh, err)
		}
		f.want("a")
	})
}

// A receipt of an earlier version has no payload: the repeat brings it.
func TestARepeatBringsThePayload(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.o.Resume = true
		f.store.all = []work.Receipt{{Key: "a"}}
		f.start()
		time.Sleep(time.Hour)
		f.want()
		if got, _, err := f.take("a", "ana/1", time.Minute); err != nil || !got.Done {
			t.Errorf("%+v, %v", got, err)
		}
		f.want("a")
	})
}

// Where Process finishes the receipt in its own commit, nobody else does.
func TestAProcessMayFinishTheReceiptItself(t *testing.T) {
	inOffice(t, func(t *testing.T, f *office) {
		f.o.Finish = nil
		f.o.Process = func(ctx context.Context, r work.Receipt, _ Try) ([]byte, error) {
			return []byte("own"), f.store.Finish(ctx, r.Key, []byte("own"))
		}
		f.start()
		if got, _, err := f.take("a", "ana/1", time.Second); err != nil || !got.Done || string(got.Result) != "own" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
