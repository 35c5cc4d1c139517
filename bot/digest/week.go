package digest

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/layout"
)

// week adds the two charts of the weekly digest: deployments and failures per
// day, and what the lead time was spent on. Nothing without a deployment.
func (f *Facts) week(l *layout.Layout) {
	if f.sum(func(d Day) int { return d.Live + d.Failed }) == 0 {
		return
	}
	var days, plain []string
	live, failed := series("went live"), series("failed")
	var build, waiting, deploy time.Duration
	n := 0
	for _, d := range f.Week {
		name := d.Day.Format("Mon 2 Jan")
		days = append(days, name)
		add(&live, name, float64(d.Live))
		add(&failed, name, float64(d.Failed))
		plain = append(plain, fmt.Sprintf("· %s: %d live, %d failed", name, d.Live, d.Failed))
		build, waiting, deploy, n = build+d.Build, waiting+d.Waiting, deploy+d.Deploy, n+d.Live
	}
	chart := slack.NewDataVisualizationBlock("Deployments per day", slack.NewDataVisualizationBarChart(slack.NewDataVisualizationAxisConfig(days...), live, failed))
	l.Either(&layout.Either{Rich: chart, Plain: section("*Deployments per day*", plain...)})
	if n == 0 || build+waiting+deploy == 0 {
		return
	}
	kinds := []string{"build", "waiting", "deploy"}
	lead, words := series("minutes"), []string(nil)
	for i, d := range []time.Duration{build, waiting, deploy} {
		mean := d / time.Duration(n)
		add(&lead, kinds[i], mean.Round(time.Second).Minutes())
		words = append(words, "· "+kinds[i]+": "+layout.Duration(mean))
	}
	chart = slack.NewDataVisualizationBlock("Lead time of a deployment, on average", slack.NewDataVisualizationBarChart(slack.NewDataVisualizationAxisConfig(kinds...).WithYLabel("minutes"), lead))
	l.Either(&layout.Either{Rich: chart, Plain: section("*Lead time of a deployment, on average*", words...)})
}

func series(name string) slack.DataVisualizationDataSeries {
	return slack.NewDataVisualizationDataSeries(name)
}

func add(s *slack.DataVisualizationDataSeries, label string, value float64) {
	s.Data = append(s.Data, slack.NewDataVisualizationDataPoint(label, value))
}

func section(title string, lines ...string) []slack.Block {
	text := title
	for _, line := range lines {
		text += "\n" + line
	}
	return []slack.Block{slack.NewSectionBlock(layout.Mrkdwn(text), nil, nil)}
}
