package config

// Kept is a secret that AWS keeps. Reading the file asks nobody: it has no value
// until [Config.WithKept].
type Kept struct {
	Path string // of the key: "slack.botToken"
	From string // ssm or secretsManager
	Name string // of the parameter; of the secret, with #KEY where a key of its JSON is meant

	line, col int
}

func (k Kept) ref() string { return k.From + " " + k.Name }

// Kept are the secrets of the file that AWS keeps, in its order.
func (c *Config) Kept() []Kept { return c.kept }

// WithKept reads the file again, with the secrets that AWS keeps; fetch, which is
// asked for each once, returns one. The error is Problems when one cannot be had,
// or is not what its key wants.
func (c *Config) WithKept(fetch func(k Kept) (string, error)) (*Config, error) {
	values := map[string]string{}
	var faults Problems
	for _, k := range c.kept {
		if _, known := values[k.ref()]; known {
			continue
		}
		value, err := fetch(k)
		if err != nil {
			faults = append(faults, Problem{File: c.path, Line: k.line, Col: k.col, Message: k.Path + ": " + err.Error(), Unset: true})
			continue
		}
		values[k.ref()] = value
	}
	if len(faults) > 0 {
		return nil, faults
	}
	again, faults, err := inspect(c.path, values)
	if err == nil && len(faults) > 0 {
		return nil, faults
	}
	return again, err
}
