package acting

// lane bounds the calls that are under way at a provider.
type lane struct {
	running int
	queue   []func()
}

// enqueue runs f on a goroutine of its own, when the provider's lane has room. t.mu is held.
func (t *Tasks) enqueue(provider string, f func()) {
	if t.stopped {
		return
	}
	one := t.lanes[provider]
	if one == nil {
		one = &lane{}
		t.lanes[provider] = one
	}
	if one.running >= atATime {
		one.queue = append(one.queue, f)
		return
	}
	one.running++
	t.o.Go(func() { t.work(one, f) })
}

// work runs f, and then what queues in the lane.
func (t *Tasks) work(one *lane, f func()) {
	for f != nil {
		f()
		f = nil
		t.mu.Lock()
		if len(one.queue) > 0 && !t.stopped {
			f, one.queue = one.queue[0], one.queue[1:]
		} else {
			one.running--
		}
		t.mu.Unlock()
	}
}
