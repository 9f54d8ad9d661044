# lib.types: those that the module uses, with nixpkgs' descriptions.
lib:
let
  inherit (builtins)
    concatMap
    head
    isAttrs
    isList
    isString
    length
    mapAttrs
    ;
  modules = import ./modules.nix lib;

  one =
    loc: definitions:
    if length definitions == 1 then
      (head definitions).value
    else
      throw "The option `${modules.showOption loc}' is defined multiple times while it's expected to be unique.${modules.showDefinitions definitions}";
  equal =
    loc: definitions:
    if lib.all (d: d.value == (head definitions).value) definitions then
      (head definitions).value
    else
      throw "The option `${modules.showOption loc}' has conflicting definition values:${modules.showDefinitions definitions}";
  mkType =
    description: rest:
    {
      _type = "option-type";
      inherit description;
      check = _: true;
      merge = equal;
    }
    // rest;
  isPathLike = x: builtins.isPath x || isString x || x ? outPath;
in
rec {
  bool = mkType "boolean" { check = builtins.isBool; };
  str = mkType "string" { check = isString; };
  strMatching =
    pattern:
    mkType "string matching the pattern ${pattern}" {
      check = x: isString x && builtins.match pattern x != null;
    };
  path = mkType "absolute path" {
    check = x: isPathLike x && lib.hasPrefix "/" (toString x);
  };
  package = mkType "package" {
    check = x: lib.isDerivation x || isPathLike x && lib.hasPrefix builtins.storeDir (toString x);
  };
  raw = mkType "raw value" { merge = one; };

  listOf =
    type:
    mkType "list of ${type.description}" {
      check = isList;
      emptyValue.value = [ ];
      merge =
        loc: definitions:
        map (entry: entry.value) (
          lib.filter (entry: entry.isDefined) (
            concatMap (
              d:
              lib.imap0 (
                i: value:
                modules.mergeDefinitions (loc ++ [ "[definition ${toString i}]" ]) type [
                  {
                    inherit (d) file;
                    inherit value;
                  }
                ]
              ) d.value
            ) definitions
          )
        );
    };

  attrsOf =
    type:
    mkType "attribute set of ${type.description}" {
      check = isAttrs;
      emptyValue.value = { };
      merge =
        loc: definitions:
        let
          plain = map modules.pushDownDefinition (map (d: { inherit (d) file value; }) definitions);
          names = lib.attrNames (lib.mergeAttrsList (map (d: d.value) plain));
          entries = lib.genAttrs names (
            name:
            modules.mergeDefinitions (loc ++ [ name ]) type (
              map (d: d // { value = d.value.${name}; }) (lib.filter (d: d.value ? ${name}) plain)
            )
          );
        in
        mapAttrs (_: e: e.value) (lib.filterAttrs (_: e: e.isDefined) entries);
    };
  lazyAttrsOf = type: attrsOf type // { description = "lazy attribute set of ${type.description}"; };

  addCheck = type: check: type // { check = x: type.check x && check x; };
}
