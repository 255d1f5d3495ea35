#!/usr/bin/env node
'use strict';
/* The command. It must be readable for any Node, however old, to say which one is wanted: no dependency, old syntax. */

var fs = require('fs');
var path = require('path');
var manifest = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8'));

var built = path.join(__dirname, '..', 'dist', 'cli', 'main.js');
var source = path.join(__dirname, 'cli', 'main.ts');

function newEnough(found, wanted) {
  var have = found.split('.').map(Number);
  var need = wanted
    .replace(/[^\d.]/g, '')
    .split('.')
    .map(Number);
  return have[0] > need[0] || (have[0] === need[0] && have[1] >= (need[1] || 0));
}

/*
 * A package has only the built files, a checkout has both: then the sources run as they are as soon as one of them is
 * newer than the build, so that a forgotten build never runs old code in silence. Where they are equal the build wins;
 * it starts faster.
 */
function entry() {
  if (!fs.existsSync(source)) return built;
  if (!fs.existsSync(built)) return source;
  var sources = [__dirname, path.join(__dirname, '..', 'machines')];
  return newest(sources) > fs.statSync(built).mtimeMs ? source : built;
}

function newest(files) {
  return files.reduce(function (latest, file) {
    var stat = fs.statSync(file);
    if (!stat.isDirectory()) return Math.max(latest, stat.mtimeMs);
    var inside = fs.readdirSync(file).map(function (name) {
      return path.join(file, name);
    });
    return Math.max(latest, newest(inside));
  }, 0);
}

if (newEnough(process.versions.node, manifest.engines.node)) {
  require('module').enableCompileCache();
  /* `require` of ES modules, as `import()` would be a syntax error on the very versions that this file is for. */
  require(entry()).main(process.argv.slice(2), manifest.version);
} else {
  process.stderr.write(
    'huddle: this is Node ' + process.versions.node + ', Huddle needs ' + manifest.engines.node + '\n',
  );
  /* EX_CONFIG of sysexits.h: a supervisor need not try again. */
  process.exit(78);
}
