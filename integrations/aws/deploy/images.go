package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
)

// mostImages is how many bytes an image definitions file may have, as in CodePipeline.
const mostImages = 100 << 10

// image is a row of an image definitions file.
type image struct {
	Name string `json:"name"` // of a container
	URI  string `json:"imageUri"`
}

// readImages reads the action's image definitions file.
func readImages(ctx context.Context, a *runner.Attempt) ([]image, error) {
	name := a.Setting("FileName")
	if name == "" {
		name = "imagedefinitions.json"
	}
	text, err := readFile(ctx, a, a.Task.Action.InputArtifacts[0], name, mostImages)
	if err != nil {
		return nil, err
	}
	var images []image
	if err := json.Unmarshal(text, &images); err != nil {
		return nil, &runner.SettingsError{Text: name + ` is no JSON array of {"name": container, "imageUri": image}: ` + err.Error()}
	}
	for _, one := range images {
		if one.Name == "" || one.URI == "" {
			return nil, &runner.SettingsError{Text: name + " has a row without name or imageUri"}
		}
	}
	if len(images) == 0 {
		return nil, &runner.SettingsError{Text: name + " names no container"}
	}
	return images, nil
}

// readFile reads a file of an input artifact; one that is missing or too large is an error that says so.
func readFile(ctx context.Context, a *runner.Attempt, artifact, name string, most int64) ([]byte, error) {
	text, err := a.ReadFile(ctx, artifact, name, most+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &runner.SettingsError{Text: "the artifact " + artifact + " has no file " + name}
	case err != nil:
		return nil, err
	case int64(len(text)) > most:
		return nil, &runner.SettingsError{Text: fmt.Sprintf("%s of the artifact %s is larger than %d KB", name, artifact, most>>10)}
	}
	return text, nil
}

// with is the definition with other images, as what registers it.
func (d definition) with(images []image) (*ecs.RegisterTaskDefinitionInput, error) {
	what := "the task definition " + fmt.Sprint(d["family"], ":", d["revision"])
	containers, _ := d["containerDefinitions"].([]any)
	var have []string
	changed := map[string]bool{}
	for _, c := range containers {
		one, _ := c.(map[string]any)
		name, _ := one["name"].(string)
		have = append(have, name)
		for _, i := range images {
			if i.Name == name {
				one["image"], changed[name] = i.URI, true
			}
		}
	}
	for _, i := range images {
		if !changed[i.Name] {
			return nil, &runner.SettingsError{Text: "the image definitions name the container " + i.Name + ", but " + what + " has " + strings.Join(have, ", ")}
		}
	}
	return d.request(what)
}
