package blocktest

// chart checks a data_visualization of series over categories.
func (c *checker) chart(b map[string]any) {
	if c.charts++; c.charts > 2 {
		c.fault("more than two charts")
	}
	if title, _ := b["title"].(string); title == "" {
		c.fault("a chart without a title")
	} else {
		c.atMost("title of a chart", title, 50)
	}
	drawn, _ := b["chart"].(map[string]any)
	axis, _ := drawn["axis_config"].(map[string]any)
	categories, _ := axis["categories"].([]any)
	for _, category := range categories {
		name, _ := category.(string)
		c.atMost("category of a chart", name, 20)
	}
	series, _ := drawn["series"].([]any)
	if len(series) < 1 || len(series) > 6 {
		c.fault("a chart of %d series", len(series))
	}
	for _, s := range series {
		s, _ := s.(map[string]any)
		name, _ := s["name"].(string)
		c.atMost("name of a series", name, 20)
		if data, _ := s["data"].([]any); len(data) != len(categories) || len(data) < 1 || len(data) > 20 {
			c.fault("a series of %d points for %d categories", len(data), len(categories))
		}
	}
}
