// Package reference writes the documentation of the programs with cobra's
// generators. Only the builds of tools/ with the tag docs import it.
package reference

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"cachekey/internal/cli"
)

const usage = `usage: go run -tags docs ./tools/PROGRAM page        print the page of docs/
       go run -tags docs ./tools/PROGRAM share DIR   write completions and man pages below DIR`

// Main writes the documentation that the arguments of this process ask for.
func Main(program func(*cli.IO) *cobra.Command) {
	o := &cli.IO{Getenv: func(string) string { return "" }}
	root := program(o)
	cli.Complete(o, root)
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "page":
		err = Page(root, os.Stdout)
	case len(args) == 2 && args[0] == "share":
		err = Share(root, args[1])
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Page writes the page of docs/ about a program: a section for each command.
func Page(root *cobra.Command, w io.Writer) error {
	var page bytes.Buffer
	fmt.Fprintf(&page, "# The command %s\n\n`go generate ./...` writes this page.\n\n", root.Name())
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		var section bytes.Buffer
		if err := doc.GenMarkdownCustom(c, &section, anchor); err != nil {
			return err
		}
		text := section.String()
		if c.HasParent() {
			text, _, _ = strings.Cut(text, "### SEE ALSO") // the way back to the top
		}
		page.WriteString(strings.ReplaceAll(text, "\n\n```\n", "\n\n```text\n"))
	}
	_, err := w.Write(append(bytes.TrimRight(page.Bytes(), "\n"), '\n'))
	return err
}

// anchor returns the link to a section from the name of the file that would have
// it as a page of its own.
func anchor(file string) string {
	return "#" + strings.ReplaceAll(strings.TrimSuffix(file, ".md"), "_", "-")
}

// Share writes the man pages and the completion scripts of a program to where
// shells and man look for them below share/.
func Share(root *cobra.Command, dir string) error {
	man := filepath.Join(dir, "man/man1")
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	if err := doc.GenManTree(root, &doc.GenManHeader{Manual: root.Name()}, man); err != nil {
		return err
	}
	for path, generate := range map[string]func(io.Writer) error{
		"bash-completion/completions/" + root.Name() + ".bash": func(w io.Writer) error { return cli.BashCompletion(root, w) },
		"zsh/site-functions/_" + root.Name():                   func(w io.Writer) error { return cli.ZshCompletion(root, w) },
		"fish/vendor_completions.d/" + root.Name() + ".fish":   func(w io.Writer) error { return cli.FishCompletion(root, w) },
	} {
		path = filepath.Join(dir, path)
		var script bytes.Buffer
		if err := generate(&script); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, script.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
