package card_test

import (
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
	"github.com/rollcall-bot/rollcall/bot/internal/webshop"
)

// The story of package webshop, in the short names that the tests here use.
const (
	id42    = webshop.ID42
	id43    = webshop.ID43
	id45    = webshop.ID45
	id46    = webshop.ID46
	url     = webshop.URL
	hostile = blocktest.Hostile
)

type drawing = blocktest.Drawing

var (
	message, modal, nobody = blocktest.Message, blocktest.Modal, blocktest.Nobody
	text, name             = blocktest.Text, blocktest.Name

	at, when, ana, cho, yes       = webshop.At, webshop.When, webshop.Ana, webshop.Cho, webshop.Yes
	stage, action, latest         = webshop.Stage, webshop.Action, webshop.Latest
	fresh, ended, waiting, both   = webshop.Fresh, webshop.Ended, webshop.Waiting, webshop.Both
	broken, back                  = webshop.Broken, webshop.Back
	shop, locked, uncertain       = webshop.Shop, webshop.Locked, webshop.Uncertain
	view, asking, signOff, closed = webshop.View, webshop.Asking, webshop.SignOff, webshop.Closed
	brings, listed                = webshop.Brings, webshop.Listed
)

// rendered is a drawing as a person might see it.
func rendered(d drawing) string { return d.String() }
