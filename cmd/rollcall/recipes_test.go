package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Every recipe is valid where it says that it belongs: a whole file, or a part of
// a pipeline, of its source action, or of its last stage.
func TestRecipes(t *testing.T) {
	page, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n## ([^\n]+)\n.*?```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != strings.Count(string(page), "\n## ") || len(blocks) != strings.Count(string(page), "```yaml") {
		t.Fatalf("of the recipes only %d have their lines", len(blocks))
	}
	for _, b := range blocks {
		var recipe map[string]any
		if err := yaml.Unmarshal([]byte(b[2]), &recipe); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "pipeline.yaml")
		data, err := yaml.Marshal(placed(recipe))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var out, faults bytes.Buffer
		if code := run([]string{"validate", path}, &out, &faults); code != 0 {
			t.Errorf("%s: status %d: %s%s", b[1], code, &out, &faults)
		}
	}
}

// placed puts the parts of a recipe where they belong in a pipeline.
func placed(recipe map[string]any) map[string]any {
	if recipe["stages"] != nil {
		return recipe
	}
	source := map[string]any{"name": "App", "provider": "GitHub", "configuration": map[string]any{"FullRepositoryId": "acme/webshop", "BranchName": "main"}, "outputArtifacts": []any{"app"}}
	stage := map[string]any{"name": "Production", "actions": []any{map[string]any{"name": "Deploy", "provider": "Commands", "inputArtifacts": []any{"app"}, "commands": []any{"deploy"}}}}
	whole := map[string]any{"name": "webshop", "stages": []any{map[string]any{"name": "Source", "actions": []any{source}}, stage}}
	for key, value := range maps.All(recipe) {
		switch key {
		case "configuration":
			source[key] = value
		case "actions", "beforeEntry", "onFailure":
			stage[key] = value
		default:
			whole[key] = value
		}
	}
	return whole
}
