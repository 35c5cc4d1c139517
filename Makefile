.PHONY: build test check quick bench fmt
build: ; CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o rollcall ./cmd/rollcall
test:  ; go test ./...
check: ; .ci/run
quick: ; .ci/run quick
bench: build ; cd bench && go run . -bin ../rollcall
fmt:   ; gofmt -w .
