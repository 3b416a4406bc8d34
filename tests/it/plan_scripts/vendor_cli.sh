#!/bin/bash
# Stands in for mongocli 2.0.7 and for the Atlas CLI, by the name of this file. Commands, flags, environment, requests and
# output are those of the vendor's sources, as far as a script of a plan uses them.
set -euo pipefail

name=${0##*/}
printf '%s %s\n' "${name}" "$*" >>"${HOME}/commands"
printf '%s %s\n' "${name}" "${MCLI_OPS_MANAGER_CA_CERTIFICATE-no authorities}" >>"${HOME}/authorities"

fail() {
  printf 'Error: %s\n' "$1" >&2
  exit 1
}

# With a variable of mongocli in its environment, the Atlas CLI reads those in place of its own.
prefix=MCLI
if [[ ${name} == atlas && -z $(compgen -e MCLI || true) ]]; then
  prefix=MONGODB_ATLAS
fi

setting() {
  local variable=${prefix}_$1
  printf '%s' "${!variable-}"
}

words=() orgId='' projectId='' role='' desc='' apiKey='' cidr='' output=''
while (($# > 0)); do
  case $1 in
    --orgId | --projectId | --role | --desc | --apiKey | --cidr | --output)
      (($# > 1)) || fail "flag needs an argument: $1"
      printf -v "${1#--}" '%s' "$2"
      shift ;;
    -*) fail "unknown flag: $1" ;;
    *) words+=("$1") ;;
  esac
  shift
done
command=${words[*]}
if [[ ${name} == mongocli ]]; then
  [[ ${command} == iam\ * ]] || fail "unknown command \"${words[0]-}\" for \"mongocli\""
  command=${command#iam }
  [[ $(setting SERVICE) =~ ^(ops|cloud)-manager$ ]] || fail "unsupported service: $(setting SERVICE)"
fi

require() {
  [[ -n ${!1} ]] || fail "required flag(s) \"$1\" not set"
}

method=POST id=''
case ${command} in
  'organizations apiKeys create') require desc && require role && path=orgs/${orgId}/apiKeys ;;
  'globalApiKeys create') require desc && require role && path=admin/apiKeys ;;
  'organizations apiKeys accessLists create') require apiKey && path=orgs/${orgId}/apiKeys/${apiKey}/accessList ;;
  'projects apiKeys assign '*)
    require role
    id=${words[${#words[@]} - 1]} method=PATCH
    path=groups/${projectId}/apiKeys/${id} ;;
  *) fail "unknown command \"${command}\"" ;;
esac

body=$(jq -cn --arg desc "${desc}" --arg roles "${role}" --arg cidr "${cidr}" --arg id "${id}" \
  'if $cidr != "" then $cidr / "," | map({cidrBlock: .}) elif $id != "" then {roles: ($roles / ",")}
    else {desc: $desc, roles: ($roles / ",")} end')
base=$(setting OPS_MANAGER_URL)
url=${base/#https:/http:}api/public/v1.0/${path} accept=application/json
if [[ ${name} == atlas ]]; then
  url=${base}api/atlas/v2/${path} accept=application/vnd.atlas.2023-01-01+json
fi
credential() {
  printf 'user = "%s:%s"\n' "$(setting PUBLIC_API_KEY)" "$(setting PRIVATE_API_KEY)"
}
real_curl=$(type -ap curl | tail -n 1)
answer=$("${real_curl}" -q -s --digest --config <(credential) --request "${method}" --header "Accept: ${accept}" \
  --header 'Content-Type: application/json' --data "${body}" --write-out '\n%{http_code}' "${url}")
status=${answer##*$'\n'} answer=${answer%$'\n'*}
if ((status >= 400)); then
  code=$(jq -r '.errorCode // ""' <<<"${answer}")
  detail=$(jq -r '.detail // ""' <<<"${answer}")
  if [[ ${name} == mongocli ]]; then
    fail "${method} ${url}: ${status} (request \"${code}\") ${detail}"
  fi
  fail "${url} ${method}: HTTP ${status} Refused (Error code: \"${code}\") Detail: ${detail} Reason: . Params: []"
fi
if [[ ${method} == PATCH ]]; then
  answer='null'
fi
if [[ ${output} == json ]]; then
  jq . <<<"${answer}"
else
  printf 'API Key created.\nPrivate API Key %s\n' "$(jq -r '.privateKey // ""' <<<"${answer}")"
fi
