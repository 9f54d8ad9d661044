# Types of the module's options. Nix prints the description in the error about an
# invalid value, so each describes a valid one.
lib:
let
  inherit (lib) types;
  described = description: type: type // { inherit description; };
in
{
  prefix = described "key prefix: 1 to 64 letters, digits, dots, underscores and hyphens" (
    types.strMatching "[A-Za-z0-9._-]{1,64}"
  );
  glob = described "glob relative to the repository's root, such as \"**/go.sum\"" (
    types.strMatching "[^/!-][^\n]*"
  );
  task = described "task name, such as \"build\", \"web:build\" or \"all\"" (
    types.strMatching "[^[:space:]-][^[:space:]]*"
  );
  variables = described "attribute set of string, with names of letters, digits and underscores" (
    types.addCheck (types.attrsOf types.str) (
      set: lib.all (name: builtins.match "[A-Za-z_][A-Za-z0-9_]*" name != null) (lib.attrNames set)
    )
  );
}
