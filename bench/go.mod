module github.com/rollcall-bot/rollcall/bench

go 1.26.0

require (
	github.com/rollcall-bot/rollcall v0.0.0
	go.etcd.io/bbolt v1.5.0
)

require (
	github.com/bmatcuk/doublestar/v4 v4.10.4 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/klauspost/compress v1.20.4 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/rollcall-bot/rollcall => ../
