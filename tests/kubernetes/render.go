// Renders the templates of a Helm chart, as far as ours use them: render FOLDER, with the values in JSON on standard input. Helm itself
// is not in Debian. Its templates are those of Go with some functions more; what we use of them is here, and any other fails.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

func main() {
	if err := render(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(folder string) error {
	var given map[string]interface{}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "templates", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := template.New(file).Option("missingkey=zero").Funcs(functions()).Parse(string(text))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, given); err != nil {
			return err
		}
		fmt.Printf("---\n# %s\n%s", filepath.Base(file), out.String())
	}
	return nil
}

func functions() template.FuncMap {
	toJSON := func(value interface{}) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	return template.FuncMap{
		"toJson": toJSON,
		// JSON is YAML.
		"toYaml":  toJSON,
		"nindent": func(blanks int, text string) string { return "\n" + strings.Repeat(" ", blanks) + text },
		"list":    func(values ...interface{}) []interface{} { return values },
		"sha256sum": func(text string) string {
			return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		},
		"default": func(otherwise, value interface{}) interface{} {
			if text, is := value.(string); value == nil || is && text == "" {
				return otherwise
			}
			return value
		},
	}
}
