package runtime

import "testing"

// Memory is given back when there is enough of it, and not again for nothing.
func TestMemoryIsGivenBackWhenItIsWorthIt(t *testing.T) {
	var h heap
	big := make([]byte, 4*releaseFrom)
	for i := range big {
		big[i] = 1
	}
	before := heapSize()
	if big[len(big)-1] != 1 || before < 4*releaseFrom {
		t.Fatalf("the heap has %d bytes", before)
	}
	if !h.release() {
		t.Error("nothing was given back")
	}
	if after := heapSize(); after+3*releaseFrom > before || h.left > after+releaseFrom {
		t.Errorf("of %d bytes %d are left, and %d are noted", before, after, h.left)
	}
	if h.release() {
		t.Error("it was given back again, and nothing had been needed")
	}
}
