package config

import "fmt"

// notes says how release notes are laid out.
type notes struct {
	Headings []notesHeading `yaml:"headings"`
}

// notesHeading gathers what carries one of its labels.
type notesHeading struct {
	Title  string   `yaml:"title"`
	Labels []string `yaml:"labels"`
}

func (d *decoder) checkNotes(n notes) {
	titles := map[string]bool{}
	for i, h := range n.Headings {
		path := fmt.Sprintf("notes.headings[%d]", i)
		d.missing(path+".title", "what stands above it: Security")
		d.missing(path+".labels", "of issues or pull requests: [security]")
		d.differs(path+".title", "headings", h.Title, titles, "put their labels into one list")
	}
}
