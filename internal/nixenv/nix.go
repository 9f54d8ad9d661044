package nixenv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/environ"
	"cachekey/internal/message"
)

// maxOutput is the maximum output of a program in bytes.
const maxOutput = 64 << 20

// RunProgram runs one of Nix's programs, a path or a name on PATH, in dir and
// returns what it prints. The error is the program's own message on one line, the
// cause of ctx if that has ended, or that of exec.LookPath if there is no such
// program.
func RunProgram(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(environ.WithGit(nil, "NIX_*", "SSH_AUTH_SOCK", "GIT_SSH*", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "IN_NIX_SHELL"), "NO_COLOR=1")
	// Nix's builders are its children: an interrupt must reach them too, and they
	// would outlive a killed nix.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stdout, stderr := &disk.LimitedWriter{Left: maxOutput}, &tail{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err = cmd.Run()
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("%s: %s", filepath.Base(program), cmp.Or(errorText(string(stderr.data)), err.Error()))
	case stdout.Left < 0:
		return nil, errors.New(filepath.Base(program) + " printed more than 64 MiB")
	}
	return stdout.Data, nil
}

var dependencyFailed = regexp.MustCompile(`dependenc(y|ies)\b.*\bfailed\b`)

// errorText returns Nix's own message on one line. It is the last error that Nix
// printed, which is the cause of those before it, unless that only says that a
// dependency failed.
func errorText(stderr string) string {
	var errs []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "error:"); ok {
			errs = append(errs, text)
		} else if len(errs) > 0 {
			errs[len(errs)-1] += " " + line
		}
	}
	text := stderr
	for i, e := range errs {
		if i == 0 || !dependencyFailed.MatchString(e) {
			text = e
		}
	}
	words := strings.Join(strings.Fields(text), " ")
	if len(words) > 1000 {
		words = strings.ToValidUTF8(words[:1000], "") + "…"
	}
	return words
}

const tailSize = 64 << 10 // bytes

// A tail is a writer that keeps the last bytes.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*tailSize {
		t.data = bytes.Clone(t.data[len(t.data)-tailSize:])
	}
	return len(p), nil
}

// ownSource returns a locked reference to the current source of the workspace's own
// flake, and its narHash.
func (r *Resolver) ownSource(ctx context.Context) (ref, narHash string, err error) {
	out, err := r.nix(ctx, "", "flake", "metadata", "--json", "--no-update-lock-file", r.Flake)
	if err != nil {
		return "", "", err
	}
	var flake struct {
		Path     string         `json:"path"`
		Resolved map[string]any `json:"resolved"`
		Locked   map[string]any `json:"locked"`
	}
	err = json.Unmarshal(out, &flake)
	hash, _ := flake.Locked["narHash"].(string)
	if err != nil || hash == "" || !storePath.MatchString(flake.Path) {
		return "", "", fmt.Errorf("unexpected output of nix flake metadata: %.200q", out)
	}
	query := url.Values{"narHash": {hash}}
	if dir, _ := flake.Resolved["dir"].(string); dir != "" {
		query.Set("dir", dir)
	}
	return "path:" + flake.Path + "?" + query.Encode(), hash, nil
}

// nix runs Nix and returns what it prints.
func (r *Resolver) nix(ctx context.Context, hint string, args ...string) ([]byte, error) {
	out, err := RunProgram(ctx, r.Root, r.Nix, append([]string{"--extra-experimental-features", "nix-command flakes"}, args...)...)
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return nil, message.WithHint(fmt.Errorf("nix is not installed: %w", err),
			"install Nix (https://nixos.org/download), or remove tools from the task to use those on PATH")
	case err != nil && hint != "":
		return nil, message.WithHint(err, "%s", hint)
	}
	return out, err
}

// findPackage returns the definitions of find and identity in Nix. find searches for
// a package where `nix build` does.
func findPackage(system string) string {
	return fmt.Sprintf(`  system = %s;
  find = flake: path:
    let
      at = set: builtins.foldl' (found: name: if found != null && found ? ${name} then found.${name} else null) set path;
      places = map (place: if place == null then null else at place) [
        (flake.packages.${system} or null)
        (flake.legacyPackages.${system} or null)
        flake
      ];
      found = builtins.filter (package: package != null) places;
    in
    if found == [ ] then
      throw "flake '${flake.sourceInfo.outPath or "?"}' has no package '${builtins.concatStringsSep "." path}' for ${system}"
    else
      builtins.head found;
  # A package may be just a path.
  identity = package: builtins.unsafeDiscardStringContext (package.drvPath or "${package}");
`, nixString(system))
}

// otherDerivation is the error of the expression if the derivation of an own tool is
// not the one in the resolution.
const otherDerivation = "the derivation of a tool is not the one that counts"

// expression returns the Nix expression of a shell that has the tools of res as
// packages. own is a locked reference to the workspace's own flake.
func (res Resolution) expression(own string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Made by same, for nix print-dev-env --file.
let
%s  # An environment of another derivation than the one that counts is never used.
  expect = derivation: package:
    if identity package == derivation then
      package
    else
      throw "%s";
  pkgs = (builtins.getFlake %s).legacyPackages.${system};
in
(pkgs.mkShell or pkgs.mkShellNoCC) {
  name = "same-environment";
  packages = [
`, findPackage(res.System), otherDerivation, nixString(res.shell.Flake))
	for _, t := range res.Tools {
		flake, expect := t.Flake, ""
		if t.own {
			flake = own
		}
		if t.derivation != "" {
			expect = "expect " + nixString(t.derivation) + " "
		}
		fmt.Fprintf(&b, "    (%s(find (builtins.getFlake %s) %s)) # %s\n", expect, nixString(flake), nixPath(t.Attr), t.Alias)
	}
	b.WriteString("  ];\n}\n")
	return b.String()
}

// nixPath returns the names of an attribute path as a list of the Nix language.
func nixPath(attr string) string {
	var path []string
	for name := range strings.SplitSeq(attr, ".") {
		path = append(path, nixString(name))
	}
	return "[ " + strings.Join(path, " ") + " ]"
}

// nixString returns s as a string literal of the Nix language.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `${`, `\${`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// parseDevEnv returns the exported variables in the output of `nix print-dev-env
// --json`. It leaves out those of the shell and those that no environment file may
// hold.
func parseDevEnv(data []byte, system string) (*Environment, error) {
	var env struct {
		Variables map[string]struct {
			Type  string          `json:"type"`
			Value json.RawMessage `json:"value"`
		} `json:"variables"`
	}
	if err := json.Unmarshal(data, &env); err != nil {
		return nil, err
	}
	// With another GOTOOLCHAIN, go.mod could select another Go than the one that was
	// resolved.
	entries := []string{"system=" + system, "GOTOOLCHAIN=local"}
	for name, v := range env.Variables {
		var value string
		if v.Type != "exported" || name == "system" || name == "GOTOOLCHAIN" || name == resolutionVariable || shellVariables[name] || !variable.MatchString(name) {
			continue
		}
		if err := json.Unmarshal(v.Value, &value); err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		if name != "PATH" && checkVariable(name, value) != nil {
			continue
		}
		entries = append(entries, name+"="+value)
	}
	return newEnvironment(entries)
}
