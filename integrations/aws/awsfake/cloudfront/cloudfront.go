// Package cloudfront is CloudFront of the fake of AWS: distributions that are there or not, and invalidations, which take a minute.
package cloudfront

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

const (
	takes = time.Minute // an invalidation
	most  = 15          // with a wildcard, under way at once
)

// Invalidation is one of a distribution.
type Invalidation struct {
	ID, Distribution, Reference string
	Paths                       []string
	At                          time.Time
}

// Service is CloudFront of all accounts.
type Service struct {
	world *api.World

	mu            sync.Mutex
	distributions map[string]string // the account that owns it, by ID
	invalidations []*Invalidation
}

// New is CloudFront without distributions.
func New(w *api.World) *Service { return &Service{world: w, distributions: map[string]string{}} }

// Distribution adds a distribution of an account.
func (s *Service) Distribution(id, account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.distributions[id] = account
}

// Invalidations are all that were made, oldest first.
func (s *Service) Invalidations() (all []Invalidation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invalidations {
		all = append(all, *i)
	}
	return all
}

// Do carries out an operation.
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := q.Input.Text("DistributionId"); s.distributions[id] != q.Account {
		return nil, api.Refuse("NoSuchDistribution", "The specified distribution does not exist.")
	}
	switch q.Operation {
	case "CreateInvalidation":
		return s.create(q)
	case "GetInvalidation":
		for _, i := range s.invalidations {
			if i.ID == q.Input.Text("Id") && i.Distribution == q.Input.Text("DistributionId") {
				return map[string]any{"Invalidation": s.view(i)}, nil
			}
		}
		return nil, api.Refuse("NoSuchInvalidation", "The specified invalidation does not exist.")
	}
	return nil, &api.Error{Status: 501, Code: "NotImplemented", Message: "The fake of CloudFront has no " + q.Operation}
}

// create makes an invalidation; the same reference and paths give the one that was made.
func (s *Service) create(q *api.Request) (any, *api.Error) {
	in := q.Input.In("InvalidationBatch")
	paths := in.In("Paths").Texts("Items")
	if in.In("Paths").Whole("Quantity", -1) != len(paths) {
		return nil, api.Refuse("InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
	}
	made := &Invalidation{ID: "I" + strings.ToUpper(strings.ReplaceAll(s.world.NewID(), "-", ""))[:13], Distribution: q.Input.Text("DistributionId"),
		Reference: in.Text("CallerReference"), Paths: paths, At: s.world.Now()}
	under := 0
	for _, i := range s.invalidations {
		switch {
		case i.Distribution != made.Distribution:
		case i.Reference == made.Reference && slices.Equal(i.Paths, made.Paths):
			return s.answer(i), nil
		case i.Reference == made.Reference:
			return nil, api.Refuse("InvalidArgument", "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution.")
		case !s.done(i):
			under++
		}
	}
	if under >= most {
		return nil, api.Refuse("TooManyInvalidationsInProgress", "Your request contains a number of invalidation paths that exceeds the maximum allowed concurrently.")
	}
	s.invalidations = append(s.invalidations, made)
	return s.answer(made), nil
}

func (s *Service) answer(i *Invalidation) map[string]any {
	return map[string]any{"Location": "https://cloudfront.amazonaws.com/2020-05-31/distribution/" + i.Distribution + "/invalidation/" + i.ID, "Invalidation": s.view(i)}
}

func (s *Service) done(i *Invalidation) bool { return !s.world.Now().Before(i.At.Add(takes)) }

func (s *Service) view(i *Invalidation) map[string]any {
	status := "InProgress"
	if s.done(i) {
		status = "Completed"
	}
	items := []any{}
	for _, p := range i.Paths {
		items = append(items, p)
	}
	batch := map[string]any{"CallerReference": i.Reference, "Paths": map[string]any{"Quantity": len(items), "Items": items}}
	return map[string]any{"Id": i.ID, "Status": status, "CreateTime": i.At, "InvalidationBatch": batch}
}

// Rights are what a call needs.
func (s *Service) Rights(q *api.Request) []api.Right {
	return []api.Right{{Action: "cloudfront:" + q.Operation, Resource: "arn:aws:cloudfront::" + q.Account + ":distribution/" + q.Input.Text("DistributionId")}}
}
