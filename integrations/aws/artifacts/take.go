package artifacts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Take makes an object from elsewhere an artifact of a pipeline. Where its digest is
// known, and the store itself may read it, S3 copies it; otherwise it is read as the
// one who may, and stored.
func (s *Store) Take(ctx context.Context, pipeline, name string, from Object, as aws.Config) (workflows.Artifact, error) {
	there := &place{region: as.Region, client: s3.NewFromConfig(as, settings)}
	have, err := there.look(ctx, from)
	if err != nil {
		return workflows.Artifact{}, err
	}
	a := workflows.Artifact{Name: name, Digest: cmp.Or(from.Digest, have.digest()), Size: have.Size}
	if a.Digest == "" {
		return s.transfer(ctx, pipeline, a, there, have.Object)
	}
	a.At, _, err = s.Stat(ctx, pipeline, a)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	to, err := s.place(ctx, "")
	if err != nil {
		return workflows.Artifact{}, err
	}
	got, err := s.copy(ctx, to, have.Object, Object{Region: to.region, Bucket: to.Name, Key: s.key(pipeline, a), Digest: a.Digest, Size: a.Size})
	if status, _ := answer(err); status == http.StatusForbidden {
		return s.transfer(ctx, pipeline, a, there, have.Object)
	}
	a.At = got.At()
	return a, err
}

// transfer reads an object from where it is, and puts it as an artifact.
func (s *Store) transfer(ctx context.Context, pipeline string, a workflows.Artifact, from *place, o Object) (workflows.Artifact, error) {
	content, err := from.open(ctx, o)
	if err != nil {
		return a, err
	}
	defer content.Close()
	tmp, err := os.CreateTemp("", "rollcall-source-")
	if err != nil {
		return a, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), content)
	if err != nil || n != o.Size {
		return a, &callError{o.At(), "it cannot be read to its end", errors.Join(err, io.ErrUnexpectedEOF), true}
	}
	got := hex.EncodeToString(sum.Sum(nil))
	if a.Digest != "" && a.Digest != got {
		return a, damaged(a.Name, o.At(), "its checksum is not that of its bytes")
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return a, err
	}
	a.Digest, a.Size = got, n
	a.At, err = s.Put(ctx, pipeline, a, tmp)
	return a, err
}
