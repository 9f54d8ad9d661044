# lib.evalModules by nixpkgs' rules: imports, module arguments, mkIf, priorities,
# order, read-only options, a declared type for every value. Left out, and refused:
# mkMerge, an option declared twice, apply, freeform modules, submodules.
lib:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    foldl'
    functionArgs
    isAttrs
    isFunction
    length
    mapAttrs
    ;
  inherit (lib) imap0 isDerivation optional;

  is = type: x: isAttrs x && (x._type or null) == type;
  isOption = is "option";
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };
  showOption = concatStringsSep ".";
  showValue =
    x: if isFunction x || isDerivation x then "<${builtins.typeOf x}>" else builtins.toJSON x;
  showDefinitions = lib.concatMapStrings (d: "\n- In `${d.file}': ${showValue d.value}");

  # An attribute set under mkIf or mkOverride as a plain set whose values are.
  pushDown =
    x:
    if is "if" x || is "override" x then
      mapAttrs (_: content: x // { inherit content; }) (pushDown x.content)
    else
      x;
  pushDownDefinition = d: d // { value = pushDown d.value; };

  # One definition as the plain one that it stands for, if any, with its priority and order.
  discharge =
    d:
    let
      inherit (d) value;
      again = change: discharge (d // change);
    in
    if is "if" value then
      if value.condition then again { value = value.content; } else [ ]
    else if is "override" value then
      again {
        inherit (value) priority;
        value = value.content;
      }
    else if is "order" value then
      again {
        order = value.priority;
        value = value.content;
      }
    else
      [ d ];

  # The definitions of the strongest priority, in order.
  strongest =
    definitions:
    let
      every = concatMap (
        d:
        discharge (
          {
            priority = 100;
            order = 1000;
          }
          // d
        )
      ) definitions;
      best = foldl' (a: d: if d.priority < a then d.priority else a) 9999 every;
    in
    builtins.sort (a: b: a.order < b.order) (filter (d: d.priority == best) every);

  # What a type makes of the definitions of one place, and whether there were any.
  mergeDefinitions =
    loc: type: definitions:
    let
      found = strongest definitions;
      wrong = filter (d: !type.check d.value) found;
    in
    {
      isDefined = found != [ ];
      value =
        if wrong != [ ] then
          throw "A definition for option `${showOption loc}' is not of type `${type.description}'. Definition values:${showDefinitions wrong}"
        else if found != [ ] then
          type.merge loc found
        else
          type.emptyValue.value
            or (throw "The option `${showOption loc}' was accessed but has no value defined. Try setting the option.");
    };

  evalOption =
    loc: option: definitions:
    let
      every =
        optional (option ? default) {
          file = "default";
          value = mkOverride 1500 option.default;
        }
        ++ definitions;
    in
    option
    // {
      inherit loc;
      inherit (mergeDefinitions loc option.type every) isDefined;
      value =
        if option.readOnly or false && length every > 1 then
          throw "The option `${showOption loc}' is read-only, but it's set multiple times. Definition values:${showDefinitions every}"
        else
          (mergeDefinitions loc option.type every).value;
    };

  # A tree of options with their definitions: { options, config }.
  evalTree =
    loc: options: definitions:
    let
      plain = map pushDownDefinition definitions;
      below = name: map (d: d // { value = d.value.${name}; }) (filter (d: d.value ? ${name}) plain);
      branches = mapAttrs (
        name: option:
        if isOption option then
          rec {
            options = evalOption (loc ++ [ name ]) option (below name);
            config = options.value;
          }
        else
          evalTree (loc ++ [ name ]) option (below name)
      ) options;
      strays = concatMap (
        d:
        map (
          name:
          "The option `${showOption (loc ++ [ name ])}' does not exist. Definition values:\n- In `${d.file}'"
        ) (filter (name: !(options ? ${name})) (attrNames d.value))
      ) plain;
    in
    {
      options = mapAttrs (_: b: b.options) branches;
      config = if strays == [ ] then mapAttrs (_: b: b.config) branches else throw (builtins.head strays);
    };

  declare =
    loc: a: b:
    a
    // mapAttrs (
      name: option:
      if !(a ? ${name}) then
        option
      else if isOption option || isOption a.${name} then
        throw "The option `${showOption (loc ++ [ name ])}' is declared twice, which this stand-in can't merge"
      else
        declare (loc ++ [ name ]) a.${name} option
    ) b;

  evalModules =
    {
      modules,
      class ? null,
    }:
    let
      given = { inherit lib config options; };
      load =
        file: module:
        let
          loaded = if builtins.isPath module || builtins.isString module then import module else module;
          named = removeAttrs (functionArgs loaded) (attrNames given);
          value =
            if isFunction loaded then
              loaded (given // mapAttrs (name: _: result.config._module.args.${name}) named)
            else
              loaded;
          isFull = value ? config || value ? options;
          keys = [
            "_class"
            "_file"
            "config"
            "imports"
            "key"
            "options"
          ];
          odd = removeAttrs value keys;
        in
        if isFull && odd != { } then
          throw "Module `${file}' has an unsupported attribute `${builtins.head (attrNames odd)}'. This is caused by introducing a top-level `config' or `options' attribute."
        else
          {
            file = value._file or file;
            imports = value.imports or [ ];
            options = value.options or { };
            config = if isFull then value.config or { } else odd;
          };
      entry = file: i: module: rec {
        key =
          if builtins.isPath module then toString module else module.key or "${file}:anon-${toString i}";
        loaded = load (if builtins.isPath module then key else file) module;
      };
      all = map (e: e.loaded) (
        builtins.genericClosure {
          startSet = imap0 (entry "<unknown-file>") modules;
          operator = e: imap0 (entry e.key) e.loaded.imports;
        }
      );
      own._module.args = lib.mkOption {
        type = lib.types.lazyAttrsOf lib.types.raw;
        default = { };
      };
      result = evalTree [ ] (foldl' (declare [ ]) own (map (m: m.options) all)) (
        map (m: {
          inherit (m) file;
          value = m.config;
        }) all
      );
      config = removeAttrs result.config [ "_module" ];
      options = removeAttrs result.options [ "_module" ];
    in
    {
      inherit config options class;
    };
in
{
  inherit
    evalModules
    isOption
    mergeDefinitions
    pushDownDefinition
    showDefinitions
    showOption
    ;
  mkOption = option: option // { _type = "option"; };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkForce = mkOverride 50;
  mkDefault = mkOverride 1000;
  mkAfter = mkOrder 1500;
  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };
}
