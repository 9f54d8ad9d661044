# The text of docs/options.md, generated from the options.
{ lib, options }:
let
  literal = value: if value._type or null == "literalExpression" then value.text else toNix value;
  toNix =
    value:
    if lib.isAttrs value then
      if value == { } then
        "{ }"
      else
        "{ ${toString (lib.mapAttrsToList (name: v: "${name} = ${toNix v};") value)} }"
    else if lib.isList value then
      "[ ${lib.concatMapStrings (v: "${toNix v} ") value}]"
    else
      builtins.toJSON value;

  fact = name: value: "- ${name}: `${value}`\n";
  section =
    option:
    let
      default =
        if option ? defaultText then
          fact "Default" (literal option.defaultText)
        else if option ? default then
          fact "Default" (literal option.default)
        else
          "";
    in
    ''

      ## `${lib.concatStringsSep "." option.loc}`

      ${lib.removeSuffix "\n" option.description}

      - Type: ${option.type.description}
    ''
    + default
    + lib.optionalString (option ? example) (fact "Example" (literal option.example))
    + lib.optionalString (option.readOnly or false) "- Read only.\n";
in
''
  # Options of the module

  A flake describes its workspace under `ciCache`: in the second argument of
  `cachekey.lib.evalModule`, or under `perSystem` with flake-parts. This page is
  generated: `nix run .#update-options` writes it.
''
+ lib.concatMapStrings section (lib.collect lib.isOption options.ciCache)
