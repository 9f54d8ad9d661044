package nixenv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// maxResponse is the maximum size of Nixhub's answer in bytes. A real one has some
// 5 KB.
const maxResponse = 1 << 20

// A policy limits how long and how often Nixhub is asked.
type policy struct {
	limit time.Duration // for one request, to the end of its body
	tries int
	pause time.Duration // before the second try, ± half of it at random; doubled for each further one
}

var patient = policy{limit: 20 * time.Second, tries: 4, pause: time.Second}

// A nixhubPackage is a version of a package, as Nixhub's v2/resolve answers and as
// .same/cache/nixhub stores it. Only the answer has name, summary and last_updated;
// only the file has alias and timestamp.
type nixhubPackage struct {
	Alias     string                   `json:"alias"` // the package's name, in spite of the field's
	Version   string                   `json:"version"`
	Systems   map[string]nixhubBinding `json:"systems"`
	Timestamp time.Time                `json:"timestamp"`
}

type nixhubBinding struct {
	FlakeInstallable installable `json:"flake_installable"`
	Outputs          []output    `json:"outputs"`
}

type installable struct {
	Ref      flakeRef `json:"ref"`
	AttrPath string   `json:"attr_path"`
}

type flakeRef struct {
	Type  string `json:"type"`
	Owner string `json:"owner"`
	Repo  string `json:"repo"`
	Rev   string `json:"rev"`
}

// String returns f as a flake reference of Nix.
func (f flakeRef) String() string { return f.Type + ":" + f.Owner + "/" + f.Repo + "/" + f.Rev }

type output struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Default bool   `json:"default"`
	NAR     string `json:"nar"`
}

var attribute = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_+'-]*(\.[A-Za-z0-9_][A-Za-z0-9_+'-]*)*$`)

// check returns an error if p cannot be used on system. Revisions and attributes
// become part of a Nix expression, and a restored file may contain anything, so only
// values that Nixhub can answer are accepted.
func (p *nixhubPackage) check(system string) error {
	if len(p.Systems) == 0 {
		return errors.New("it lists no systems")
	}
	for name, s := range p.Systems {
		ref := s.FlakeInstallable.Ref
		if ref.Type != "github" || !strings.EqualFold(ref.Owner, "NixOS") || !strings.EqualFold(ref.Repo, "nixpkgs") || !fullRevision.MatchString(ref.Rev) {
			return fmt.Errorf("%q is not a revision of nixpkgs", ref)
		}
		if !attribute.MatchString(s.FlakeInstallable.AttrPath) {
			return fmt.Errorf("%q is not an attribute (%s)", s.FlakeInstallable.AttrPath, name)
		}
	}
	if _, ok := p.Systems[system]; !ok {
		var systems []string
		for name := range p.Systems {
			systems = append(systems, name)
		}
		slices.Sort(systems)
		return message.WithHint(&wrongSystemError{system, systems}, "use a version that is built for %s", system)
	}
	return nil
}

// A wrongSystemError reports a valid answer that lacks this system.
type wrongSystemError struct {
	system string
	others []string
}

// Error lists the systems of the answer.
func (e *wrongSystemError) Error() string {
	return fmt.Sprintf("nixpkgs has it for %s, but not for %s", strings.Join(e.others, ", "), e.system)
}

var errNotFound = errors.New("not found")

// ask asks Nixhub for a version of a package. It retries as the policy allows.
func (r *Resolver) ask(ctx context.Context, name, version string) (*nixhubPackage, error) {
	address := strings.TrimSuffix(r.Nixhub, "/") + "/v2/resolve?name=" + url.QueryEscape(name) + "&version=" + url.QueryEscape(version)
	if r.Get == nil {
		return nil, fmt.Errorf("%s@%s is not in %s, and this program does not ask Nixhub", name, version, dotsame.Nixhub)
	}
	p := r.nixhubPolicy
	pause := p.pause
	for try := 1; ; try++ {
		pkg, err := r.askOnce(ctx, address)
		switch {
		case err == nil:
			pkg.Alias, pkg.Version = name, version
			return pkg, nil
		case errors.Is(err, errNotFound):
			return nil, message.WithHint(fmt.Errorf("%s@%s is not on Nixhub", name, version),
				"see https://www.nixhub.io/packages/%s for the versions", url.PathEscape(name))
		case errors.As(err, new(*wrongSystemError)):
			return nil, err
		case ctx.Err() != nil:
			return nil, fmt.Errorf("asking Nixhub: %w", context.Cause(ctx))
		case try == p.tries:
			return nil, message.WithHint(fmt.Errorf("asking Nixhub, %d times: %w", try, err),
				"check the network, or name a package of the flake's own lock instead (nixpkgs#%s)", name)
		}
		// At random, so that a hundred CI jobs do not retry at the same moment.
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause *= 2
	}
}

func (r *Resolver) askOnce(ctx context.Context, address string) (*nixhubPackage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.nixhubPolicy.limit, fmt.Errorf("no complete answer within %v", r.nixhubPolicy.limit))
	defer cancel()
	status, body, err := r.Get(ctx, address)
	if err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	defer body.Close()
	switch {
	case status == 404:
		return nil, errNotFound
	case status != 200:
		return nil, fmt.Errorf("HTTP status %d", status)
	}
	data, err := disk.ReadLimited(body, maxResponse)
	if err != nil {
		return nil, cmp.Or(context.Cause(ctx), fmt.Errorf("reading the answer: %w", err))
	}
	var pkg nixhubPackage
	if err := disk.DecodeJSON(data, &pkg); err != nil {
		return nil, fmt.Errorf("parsing the answer: %w", err)
	}
	if err := pkg.check(r.System); err != nil {
		return nil, err
	}
	return &pkg, nil
}

// nixhub returns a version of a package, from the cache or from Nixhub.
func (r *Resolver) nixhub(ctx context.Context, name, version string) (*nixhubPackage, error) {
	file := dotsame.NixhubPath(name, version)
	got, err, _ := r.flights.Do("nixhub "+file, func() (any, error) {
		pkg, err := r.readNixhub(file, name, version)
		if err == nil {
			return pkg, nil
		}
		if errors.As(err, new(*wrongSystemError)) {
			return nil, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			r.warnf("ignoring %s and asking Nixhub again: %v", file, err)
		}
		if pkg, err = r.ask(ctx, name, version); err != nil {
			return nil, err
		}
		if err := r.writeNixhub(file, pkg); err != nil {
			r.warnf("the answer of Nixhub is not cached: %v", err)
		}
		return pkg, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*nixhubPackage), nil
}

func (r *Resolver) readNixhub(file, name, version string) (*nixhubPackage, error) {
	data, err := r.dir.ReadFile(file, maxResponse)
	if err != nil {
		return nil, err
	}
	var pkg nixhubPackage
	if err := disk.DecodeJSON(data, &pkg); err != nil {
		return nil, err
	}
	if pkg.Alias != name || pkg.Version != version {
		return nil, fmt.Errorf("it is for %.100q, not for %s@%s", pkg.Alias+"@"+pkg.Version, name, version)
	}
	return &pkg, pkg.check(r.System)
}

func (r *Resolver) writeNixhub(file string, pkg *nixhubPackage) error {
	pkg.Timestamp = time.Now()
	for system, s := range pkg.Systems {
		if s.Outputs == nil {
			s.Outputs = []output{}
			pkg.Systems[system] = s
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(pkg); err != nil {
		return err
	}
	return r.dir.WriteFile(file, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
