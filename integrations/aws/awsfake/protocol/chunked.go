package protocol

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // a checksum that S3 knows, no secret
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// unchunk takes the chunks of a body of S3 apart, if it has any: the trailers become headers, and a checksum must fit.
func unchunk(method string, h http.Header, body *[]byte) *api.Error {
	if strings.HasPrefix(h.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		if bad := dechunk(h, body); bad != nil {
			return bad
		}
		rest := slices.DeleteFunc(strings.Split(h.Get("Content-Encoding"), ","), func(e string) bool { return strings.TrimSpace(e) == "aws-chunked" })
		if h.Set("Content-Encoding", strings.Join(rest, ",")); len(rest) == 0 {
			h.Del("Content-Encoding")
		}
	}
	if method != http.MethodPut {
		return nil // the checksum of a finished upload is one of its parts
	}
	for name, sum := range map[string]func() hash.Hash{
		"crc32":  func() hash.Hash { return crc32.NewIEEE() },
		"crc32c": func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"sha1":   sha1.New,
		"sha256": sha256.New,
	} {
		want := h.Get("X-Amz-Checksum-" + name)
		if want == "" || h.Get("X-Amz-Copy-Source") != "" {
			continue
		}
		made := sum()
		_, _ = made.Write(*body) // a hash takes everything
		if base64.StdEncoding.EncodeToString(made.Sum(nil)) != want {
			return &api.Error{Status: http.StatusBadRequest, Code: "BadDigest", Message: "The " + strings.ToUpper(name) + " you specified did not match the calculated checksum."}
		}
	}
	return nil
}

func dechunk(h http.Header, body *[]byte) *api.Error {
	incomplete := &api.Error{Status: http.StatusBadRequest, Code: "IncompleteBody", Message: "The request body terminated unexpectedly"}
	var whole []byte
	for rest := *body; ; {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		size, _, _ := strings.Cut(string(line), ";") // the signature of a chunk is not checked
		n, err := strconv.ParseUint(size, 16, 31)
		if !ok || err != nil || uint64(len(after)) < n {
			return incomplete
		}
		if n == 0 {
			for _, trailer := range strings.Split(string(after), "\r\n") {
				if name, value, ok := strings.Cut(trailer, ":"); ok {
					h.Set(strings.TrimSpace(name), strings.TrimSpace(value))
				}
			}
			break
		}
		whole = append(whole, after[:n]...)
		if rest, ok = bytes.CutPrefix(after[n:], []byte("\r\n")); !ok {
			return incomplete
		}
	}
	if want := h.Get("X-Amz-Decoded-Content-Length"); want != "" && want != strconv.Itoa(len(whole)) {
		return incomplete
	}
	*body = whole
	return nil
}
