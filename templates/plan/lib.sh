#!/usr/bin/env bash
# Library of the migration scripts of `keysunset plan`. Each NN-owner.sh sets the data of one owner and calls it.
#
# Usage: bash NN-owner.sh [STAGE] [OPTION]...
#
# Without a stage the script prints what each stage does, and sends nothing.
#
# Stages, in this order:
#   create    create the API keys or service accounts that replace the personal keys; a second time changes nothing
#   check     log in with each new key, from this machine, and compare its roles with the plan
#   verify    check that the old keys were not used since the run, and that their replacements passed check and are there
#   disable   verify, then disable the old keys whose decision is `replace` or `retire`
#   rollback  enable again the keys that this script disabled, and no others
#   delete    delete the disabled keys; the service accepts this from their owner only
#
# Options:
#   --dry-run        print the requests of the stage and send none
#   --wave N         verify, disable, delete: only the keys of this wave
#   --self           verify, disable, delete: also the key of the audit itself (wave 0)
#   --without-check  verify, disable, delete: also keys whose replacement does not exist, or did not pass check
#   --include-ask    create, check: also the replacements that wait for a person's decision
#   --set-roles      create: also add planned roles that a complete replacement lacks, since a person took them away or a
#                    later plan has more
#   --fewer-roles    check: accept a replacement that has fewer roles than planned
#   --recreate       create: delete and create again a replacement whose private key is not stored here
#   --help           print this text
#
# Environment:
#   KEYSUNSET_PUBLIC_KEY      user of the API: the public key, or the username with a personal key
#   KEYSUNSET_PRIVATE_KEY     its private key
#   KEYSUNSET_SECRETS         folder for new private keys, one file of mode 0600 for each; never overwritten
#   KEYSUNSET_SECRET_COMMAND  in place of the folder: a program and its fixed arguments, separated by spaces; it reads
#                             one new key as JSON from its standard input
#   KEYSUNSET_ADDRESSES       more addresses or CIDR blocks for the access lists, separated by commas
#   KEYSUNSET_RUNNER_ADDRESS  address of this machine as the service sees it
#   KEYSUNSET_SECRET_HOURS    life of a new secret of a service account: 8 to 8760 hours [default: 8760]
#   KEYSUNSET_CA_CERT         file with the certificate authorities of the deployment (PEM)
#
# Files beside the script: NN-owner.done is the journal, one JSON object a line; `rollback` reads it, so keep it. It belongs to
# one deployment: the script of another one stops. NN-owner.lock prevents two runs at the same time.
#
# Exit status: 0 done; 1 not done, with the reason on standard error; 2 wrong usage.
#
# Needs bash 4.4, curl 7.29 and jq 1.5, and for a plan with --tool mongocli or --tool atlas that program. The program gets
# the credential in its environment, and prints the new key to this script alone.

# shellcheck disable=SC2016 # in single quotes are programs of jq, with variables of jq

# A trace would print private keys, and exported variables would be visible in other processes.
set +xva
set -euo pipefail
umask 077
export LC_ALL=C

readonly LIBRARY=${BASH_SOURCE[0]}
readonly PAGE_SIZE=500
# How often a request that met a rate limit is sent, and the seconds before the second time.
readonly MAX_ATTEMPTS=4 RATE_LIMIT_WAIT=15

# Hours until the secret of a new service account expires.
readonly SECRET_HOURS=${KEYSUNSET_SECRET_HOURS:-8760}

# Service accounts belong to the versioned API of Atlas.
readonly ATLAS_MEDIA_TYPE='application/vnd.atlas.2024-08-05+json'

# Whether a balancer gives each request to the next server.
IN_TURN=false

# Whether a later plan has no script for this owner.
WITHDRAWN=false

# One element for each personal key, and one for each replacement.
KEY_IDS=() KEY_SUFFIXES=() KEY_DECISIONS=() KEY_WAVES=() KEY_LAST_USED=() KEY_USED_COUNTS=() KEY_DESCRIPTIONS=()
KINDS=() ORG_IDS=() ORG_NAMES=() TAGS=() DESCRIPTIONS=() NEED_DECISION=() ORG_ROLES=() ADDRESSES=() REPLACED=() PROJECTS=()

# What replacements lost since their check, by their index.
LOSSES=()

# --- Messages ---------------------------------------------------------------------------------------------------------

# Prints a text as a JSON string in ASCII: without control characters and without marks that reorder a line.
quoted() {
  printf '%s' "$1" | jq -Rsa . | tr -d '\177'
}

say() {
  printf '%s\n' "$1"
}

warn() {
  printf 'warning: %s\n' "$1" >&2
}

# Ends the script: what happened, and what to do next.
die() {
  printf 'error: %s\n' "$1" >&2
  if [[ -n ${2-} ]]; then
    printf '  help:  %s\n' "$2" >&2
  fi
  exit 1
}

usage_error() {
  printf 'error: %s\n  help:  bash %s --help\n' "$1" "${OWNER_FILE}" >&2
  exit 2
}

# --- Validation -------------------------------------------------------------------------------------------------------

require_id() {
  [[ $1 =~ ^[0-9a-fA-F]{24}$ ]] || die "$2 is not an ID of 24 hexadecimal digits: $(quoted "$1")" \
    'the script was changed or is damaged; run keysunset plan again'
}

require_match() {
  [[ $1 =~ $2 ]] || die "$3 is not valid: $(quoted "$1")" \
    'the script was changed or is damaged; run keysunset plan again'
}

# Whether a text is an IPv4 or IPv6 address, or a CIDR block.
is_network() {
  local address=${1%%/*} prefix='' limit=32
  [[ $1 != */* ]] || prefix=${1#*/}
  [[ $1 != */ && ${prefix} =~ ^[0-9]{0,3}$ ]] || return 1
  if [[ ${address} == *:* ]]; then
    is_ipv6 "${address}" || return 1
    limit=128
  else
    is_ipv4 "${address}" || return 1
  fi
  [[ -z ${prefix} ]] || ((10#${prefix} <= limit))
}

is_ipv4() {
  local octet
  [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || return 1
  for octet in "${BASH_REMATCH[@]:1}"; do
    ((10#${octet} <= 255)) || return 1
  done
}

is_ipv6() {
  local group='[0-9a-fA-F]{1,4}' colons=${1//[^:]/} limit=7
  if [[ $1 == *::* ]]; then
    # One gap, in place of at least one group.
    [[ $1 != ::* && $1 != *:: ]] || limit=8
    [[ $1 =~ ^(${group}(:${group})*)?::(${group}(:${group})*)?$ ]] && ((${#colons} <= limit))
  else
    [[ $1 =~ ^${group}(:${group}){7}$ ]]
  fi
}

# --- Data of the plan, set by the script of the owner -----------------------------------------------------------------

deployment() {
  DEPLOYMENT=$1 BASE_URL=${2%/} PRODUCT=$3 VERSION=$4 LIST_NAME=$5 TOOL=$6
  require_match "${BASE_URL}" '^https?://[][A-Za-z0-9.:_-]+(/[A-Za-z0-9._~/-]*)?$' 'the base URL'
  require_match "${LIST_NAME}" '^(whitelist|accessList)$' 'the name of the access lists'
  require_match "${TOOL}" '^(curl|mongocli|atlas|terraform)$' 'the tool'
}

run() {
  RUN_ID=$1 RUN_STARTED=$2 VERIFY_DAYS=$3
  require_match "${VERIFY_DAYS}" '^[0-9]{1,4}$' 'the number of days to verify'
  require_match "${RUN_STARTED}" '^[0-9TZ:.+-]+$' 'the time of the run'
  epoch "${RUN_STARTED}" >/dev/null || die "the time of the run is not valid: ${RUN_STARTED}"
}

# A later plan has no script for this owner.
withdrawn() {
  WITHDRAWN=true
}

owner() {
  OWNER_ID=$1 OWNER_NAME=$2 OWNER_FILE=${3%.sh}.sh
  require_id "${OWNER_ID}" 'the owner'
  require_match "${OWNER_FILE}" '^[0-9A-Za-z][0-9A-Za-z._-]*$' 'the name of the script'
}

# key ID SUFFIX DECISION WAVE LAST_USED USED_COUNT DESCRIPTION
key() {
  require_id "$1" 'a personal key'
  require_match "$2" '^[0-9a-f]{0,12}$' 'the last digits of a key'
  require_match "$3" '^(ask|self|waived|delete-only|retire|replace)$' 'a decision'
  require_match "$4" '^[0-9]*$' 'a wave'
  require_match "$5" '^[0-9TZ:.+-]*$' 'a time of last use'
  require_match "$6" '^[0-9]*$' 'a number of uses'
  KEY_IDS+=("$1") KEY_SUFFIXES+=("$2") KEY_DECISIONS+=("$3") KEY_WAVES+=("$4")
  KEY_LAST_USED+=("$5") KEY_USED_COUNTS+=("$6") KEY_DESCRIPTIONS+=("$7")
}

# replacement ORG_ID ORG_NAME TAG DESCRIPTION NEEDS_DECISION ROLES ADDRESSES KEY_IDS [PROJECT_ID=ROLES]...
# An API key. Roles, addresses and IDs are separated by commas. An empty ORG_ID is the whole deployment.
replacement() {
  require_match "$3" '^keysunset:[!-~]+$' 'the tag of a replacement'
  add_replacement key "$@"
}

# The same for a service account of Atlas, whose name is the tag.
service_account() {
  require_match "$3" '^keysunset-[0-9a-fA-F]{24}(-[0-9a-fA-F]{24})?$' 'the name of a service account'
  [[ ${BASE_URL} == */api/atlas/v1.0 ]] || die 'the base URL is not one of Atlas, which alone has service accounts'
  require_id "$1" 'an organization'
  add_replacement account "$@"
}

add_replacement() {
  KINDS+=("$1")
  shift
  local org=$1 name=$2 tag=$3 description=$4 decision=$5 roles=$6 addresses=$7 keys=$8 project address
  shift 8
  [[ -z ${org} ]] || require_id "${org}" 'an organization'
  [[ "${description} " == "${tag} "* ]] ||
    die "the description $(quoted "${description}") does not begin with the tag ${tag}"
  printf '%s' "${description}" | jq -Rse 'length <= 250' >/dev/null ||
    die "the description of ${tag} has more than 250 characters"
  require_match "${decision}" '^(true|false)$' 'the mark for a decision'
  require_match "${roles}" '^[A-Z][A-Z0-9_]*(,[A-Z][A-Z0-9_]*)*$' 'the roles of a replacement'
  require_match "${keys}" '^([0-9a-fA-F]{24}(,[0-9a-fA-F]{24})*)?$' 'the keys of a replacement'
  for project in "$@"; do
    require_match "${project}" '^[0-9a-fA-F]{24}=[A-Z][A-Z0-9_]*(,[A-Z][A-Z0-9_]*)*$' 'a project of a replacement'
  done
  while IFS= read -r address; do
    [[ -z ${address} ]] || is_network "${address}" || die "$(quoted "${address}") is not an address or a CIDR block"
  done <<<"${addresses//,/$'\n'}"
  ORG_IDS+=("${org}") ORG_NAMES+=("${name}") TAGS+=("${tag}") DESCRIPTIONS+=("${description}")
  NEED_DECISION+=("${decision}") ORG_ROLES+=("${roles}") ADDRESSES+=("${addresses}") REPLACED+=("${keys}")
  PROJECTS+=("$*")
}

# --- Requests ---------------------------------------------------------------------------------------------------------

# The credential of the next request, as a configuration of curl: an access token if there is one.
credential_config() {
  local user=${LOGIN_PUBLIC}:${LOGIN_PRIVATE}
  if [[ -n ${LOGIN_TOKEN} ]]; then
    printf 'header = "Authorization: Bearer %s"\n' "${LOGIN_TOKEN}"
    return 0
  fi
  user=${user//\\/\\\\}
  user=${user//\"/\\\"}
  printf 'user = "%s"\n' "${user}"
}

# Takes the credential out of the environment, so that no other program inherits it.
take_credential() {
  ENV_PUBLIC=${KEYSUNSET_PUBLIC_KEY-} ENV_PRIVATE=${KEYSUNSET_PRIVATE_KEY-}
  unset KEYSUNSET_PUBLIC_KEY KEYSUNSET_PRIVATE_KEY
  [[ ${ENV_PUBLIC}${ENV_PRIVATE} != *[[:cntrl:]]* ]] || die 'the credential contains a control character'
  [[ ${ENV_PUBLIC} != *:* ]] || die 'KEYSUNSET_PUBLIC_KEY contains a colon'
}

# log_in PUBLIC PRIVATE NAME: the name of the credential, for messages.
log_in() {
  LOGIN_PUBLIC=$1 LOGIN_PRIVATE=$2 LOGIN_NAME=$3 LOGIN_TOKEN=''
}

log_in_from_environment() {
  [[ -n ${ENV_PUBLIC} && -n ${ENV_PRIVATE} ]] ||
    die 'no credential' 'set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY'
  log_in "${ENV_PUBLIC}" "${ENV_PRIVATE}" 'KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY'
}

# request METHOD PATH [BODY]: sets STATUS, ANSWER and ERROR_CODE. Redirects are not followed. Only a request that met a
# rate limit is sent again, because the service did not carry it out.
request() {
  local method=$1 path=$2 body=${3-} result code attempt url media='application/json'
  local -a options=() login=(--digest)
  url=$(url_of "${path}")
  [[ ${path} != /v2/* ]] || media=${ATLAS_MEDIA_TYPE}
  set_options "${method}" "${url}" "${media}"
  [[ -z ${body} ]] || options+=(--header "Content-Type: ${media}" --data-binary @-)
  # A service account logs in with a token of its own.
  if [[ ${LOGIN_PUBLIC} == mdb_sa_id_* ]]; then
    [[ -n ${LOGIN_TOKEN} ]] || get_token
    login=()
  fi
  REQUEST="${method} ${path%%\?*}"
  for ((attempt = 1; ; attempt++)); do
    code=0
    if [[ ${IN_TURN} == false ]]; then
      result=$(printf '%s' "${body}" | curl "${options[@]}" ${login[@]+"${login[@]}"} --config <(credential_config)) ||
        code=$?
      # curl gave up after 50 challenges.
      ((code != 47)) || IN_TURN=true
    fi
    [[ ${IN_TURN} == false ]] || send_in_turn
    ((code == 0)) || die "${REQUEST}: no answer from ${BASE_URL} (curl ended with ${code})" \
      'check the network and KEYSUNSET_CA_CERT, then run the same stage again'
    STATUS=${result##*$'\n'} ANSWER=${result%$'\n'*}
    ERROR_CODE=$(printf '%s' "${ANSWER}" | jq -r '.errorCode? | strings' 2>/dev/null | head -n 1) || ERROR_CODE=''
    [[ ${ERROR_CODE} =~ ^[A-Z0-9_]{1,80}$ ]] || ERROR_CODE=''
    wait_for_rate_limit "${attempt}" || return 0
  done
}

# Waits if the last request met a rate limit and this attempt was not the last one; false if not.
wait_for_rate_limit() {
  [[ ${STATUS} == 429 || ${ERROR_CODE} == RATE_LIMITED* || ${ERROR_CODE} == *_RATE_LIMITED* ]] || return 1
  (($1 < MAX_ATTEMPTS)) || return 1
  warn "${REQUEST}: rate limit; next attempt in $(($1 * RATE_LIMIT_WAIT)) seconds"
  sleep "$(($1 * RATE_LIMIT_WAIT))"
}

# The URL of a path. Paths of the versioned API of Atlas begin with /v2.
url_of() {
  if [[ $1 == /v2/* ]]; then
    printf '%s%s' "${BASE_URL%/v1.0}" "$1"
  else
    printf '%s%s' "${BASE_URL}" "$1"
  fi
}

# set_options METHOD URL MEDIA_TYPE: sets the caller's options of curl.
set_options() {
  options=(-q --silent --show-error --globoff --proto '=http,https' --cookie '' --connect-timeout 20 --max-time 120
    --max-filesize 16777216 --header "Accept: $3" --header 'Expect:' --write-out '\n%{http_code}' --request "$1"
    --url "$2")
  [[ -z ${KEYSUNSET_CA_CERT-} ]] || options+=(--cacert "${KEYSUNSET_CA_CERT}")
}

# Sets LOGIN_TOKEN to an access token of the service account, which counts for an hour.
get_token() {
  local result code=0
  local -a options=()
  set_options POST "${BASE_URL%/api/*}/api/oauth/token" application/json
  result=$(curl "${options[@]}" --data grant_type=client_credentials --config <(credential_config)) || code=$?
  ((code == 0)) || die "no answer from ${BASE_URL%/api/*} (curl ended with ${code})" \
    'check the network and KEYSUNSET_CA_CERT, then run the same stage again'
  [[ ${result##*$'\n'} == 200 ]] || die "the service account got no access token: status ${result##*$'\n'}" \
    "check ${LOGIN_NAME}; the secret may have expired"
  LOGIN_TOKEN=$(pick "${result%$'\n'*}" '.access_token | strings' 2>/dev/null) || LOGIN_TOKEN=''
  [[ ${LOGIN_TOKEN} =~ ^[A-Za-z0-9._~+/=-]+$ ]] || die 'the answer with the access token is not the documented one' \
    'something between this machine and the service may have answered; run the same stage again'
}

# Sends the request of `request` behind a balancer that gives each request to the next server. There the answer to a
# challenge reaches a server that did not make it, so one answer is sent until its server has the turn.
send_in_turn() {
  local challenge realm nonce uri secret request_hash count cnonce=${RANDOM}${RANDOM}${RANDOM}
  code=47
  challenge=$(curl "${options[@]}" --include </dev/null | tr -d '\r' | grep -i '^www-authenticate: *digest') || return 0
  [[ ${challenge} =~ realm=\"([^\"\\]*)\" ]] || return 0
  realm=${BASH_REMATCH[1]}
  [[ ${challenge} =~ nonce=\"([^\"\\]*)\" ]] || return 0
  nonce=${BASH_REMATCH[1]}
  [[ (${challenge} != *algorithm=* || ${challenge} == *MD5*) && ${LOGIN_PUBLIC} != *[\"\\]* ]] || return 0
  uri=/${url#*://*/}
  secret=$(hash "${LOGIN_PUBLIC}:${realm}:${LOGIN_PRIVATE}")
  request_hash=$(hash "${method}:${uri}")
  for count in {1..16}; do
    code=0
    result=$(printf '%s' "${body}" | curl "${options[@]}" --config <(digest_config)) || code=$?
    [[ ${code} == 0 && ${result##*$'\n'} == 401 && ${result} != *errorCode* ]] || return 0
  done
}

# The MD5 of a text, which no other program has as an argument.
hash() {
  local tool='md5sum' sum
  command -v md5sum >/dev/null || tool='md5'
  sum=$(printf '%s' "$1" | "${tool}")
  printf '%s' "${sum%% *}"
}

# The answer to a challenge, as a configuration of curl.
digest_config() {
  local number answer
  printf -v number '%08x' "${count}"
  answer=$(hash "${secret}:${nonce}:${number}:${cnonce}:auth:${request_hash}")
  printf 'header = "Authorization: Digest username=\\"%s\\", realm=\\"%s\\", nonce=\\"%s\\", uri=\\"%s\\", ' \
    "${LOGIN_PUBLIC}" "${realm}" "${nonce}" "${uri}"
  printf 'algorithm=MD5, qop=auth, nc=%s, cnonce=\\"%s\\", response=\\"%s\\""\n' "${number}" "${cnonce}" "${answer}"
}

# What helps against the refusal of the last request.
help_for_answer() {
  case ${ERROR_CODE} in
    IP_ADDRESS_NOT_ON_ACCESS_LIST | IP_ADDRESS_NOT_ON_WHITELIST)
      say 'add the address of this machine to the access list of the credential' ;;
    ORG_REQUIRES_ACCESS_LIST | ORG_REQUIRES_WHITELIST)
      say 'the organization requires an access list: set KEYSUNSET_ADDRESSES and run create again' ;;
    NOT_SELF | USER_UNAUTHORIZED | WHITELIST_ACCESS_DENIED | ACCESS_LIST_ACCESS_DENIED)
      say 'the credential has no right to do this; keys of a user need that user, or GLOBAL_OWNER on Ops Manager' ;;
    NOT_ORG_OWNER | USER_CANNOT_ACCESS_ORG | API_KEY_*_ACCESS_DENIED)
      say 'use a credential with the role ORG_OWNER in this organization' ;;
    NOT_IN_GROUP) say 'use a credential with the role GROUP_OWNER or GROUP_USER_ADMIN in this project' ;;
    NOT_GLOBAL_USER_ADMIN) say 'use a credential with the role GLOBAL_OWNER or GLOBAL_USER_ADMIN' ;;
    PERSONAL_API_KEYS_DEPRECATED) say 'the service removed personal API keys; run keysunset audit to confirm it' ;;
    RESOURCE_NOT_FOUND)
      say 'Ops Manager 5.0 and later has no personal API keys, and 4.0 has no programmatic ones; run keysunset audit' ;;
    INVALID_ATTRIBUTE) say 'for a service account, set KEYSUNSET_SECRET_HOURS to a life that the organization allows' ;;
    INVALID_IP_ADDRESS_OR_CIDR_NOTATION) say 'correct KEYSUNSET_ADDRESSES and KEYSUNSET_RUNNER_ADDRESS' ;;
    INVALID_ROLE_FOR_* | CANNOT_ADD_GLOBAL_ROLE | MISSING_API_KEY_ROLES)
      say 'the service does not grant this role to such a key; run keysunset audit and keysunset plan again' ;;
    *)
      case ${STATUS} in
        401) say "the service refused the credential: check ${LOGIN_NAME}" ;;
        3??) say 'redirects are not followed; run keysunset audit with the URL of the service itself' ;;
        429 | 5??) say 'the service is overloaded or not available; run the same stage again later' ;;
        *) say 'run keysunset audit and keysunset plan again: the plan may be out of date' ;;
      esac ;;
  esac
}

refused() {
  die "${REQUEST}: status ${STATUS}${ERROR_CODE:+ ${ERROR_CODE}}" "$(help_for_answer)"
}

# Ends the script unless the status of the last answer is a success and jq's condition holds for its body.
expect() {
  [[ ${STATUS} == 200 || ${STATUS} == 201 ]] || refused
  matches "${ANSWER}" "$@" || die "${REQUEST}: the answer (status ${STATUS}) is not the documented one" \
    'something between this machine and the service may have answered; run the same stage again'
}

# matches JSON CONDITION [ARGUMENT OF JQ]...
matches() {
  local json=$1 condition=$2
  shift 2
  printf '%s' "${json}" | jq -se "$@" "length == 1 and (.[0] | ${condition})" >/dev/null 2>&1
}

# pick JSON FILTER [ARGUMENT OF JQ]...
pick() {
  local json=$1 filter=$2
  shift 2
  printf '%s' "${json}" | jq -rc "$@" "${filter}"
}

# read_list PATH ROW_CONDITION ROW_FILTER [ARGUMENT OF JQ]...: sets LIST to the rows of all pages.
read_list() {
  local path=$1 condition=$2 filter=$3 page=1 rows total seen=0
  shift 3
  LIST='[]'
  while :; do
    request GET "${path}?pageNum=${page}&itemsPerPage=${PAGE_SIZE}"
    expect "type == \"object\" and (.results | type) == \"array\" and all(.results[]; ${condition})
      and (.totalCount | . == null or (type == \"number\" and . >= 0 and . == floor and . < 10000000))"
    rows=$(pick "${ANSWER}" '.results | length')
    total=$(pick "${ANSWER}" '.totalCount // ""')
    LIST=$(printf '%s\n%s' "${LIST}" "${ANSWER}" | jq -cs "$@" ".[0] + [.[1].results[] | ${filter}]")
    seen=$((seen + rows))
    if ((rows == 0)) || [[ -n ${total} && ${seen} -ge ${total} ]]; then
      break
    fi
    page=$((page + 1))
  done
  if [[ ${seen} != "${total:-${seen}}" ]] || ! matches "${LIST}" '(unique | length) == length'; then
    die "${REQUEST}: the pages of the list have ${seen} rows, or rows twice, and the service counts ${total:-no rows}" \
      'the list changed or is incomplete; run the same stage again'
  fi
}

# --- Journal ----------------------------------------------------------------------------------------------------------

now() {
  date -u +%Y-%m-%dT%H:%M:%SZ
}

# Seconds of an RFC 3339 time in UTC.
epoch() {
  jq -rn --arg time "$1" '$time | sub("\\.[0-9]+"; "") | sub("\\+00:00$"; "Z") | fromdateiso8601' 2>/dev/null
}

# record STAGE KEY_ID [REPLACEMENT] [WHERE] [MISSING]: adds a line to the journal. The replacement is its index.
record() {
  local line time tag='' org=''
  [[ -z ${3-} ]] || tag=${TAGS[$3]} org=${ORG_IDS[$3]}
  time=$(now)
  line=$(jq -cn --arg time "${time}" --arg stage "$1" --arg key "$2" --arg tag "${tag}" --arg org "${org}" \
    --arg where "${4-}" --arg missing "${5-}" --arg run "${RUN_ID}" --arg name "${DEPLOYMENT}" --arg url "${BASE_URL}" \
    '{time: $time, stage: $stage, key_id: $key, tag: $tag, org_id: $org, where: $where, missing: $missing, run: $run}
      | with_entries(select(.value != "")) | . + {deployment: $name, base_url: $url}')
  printf '%s\n' "${line}" >>"${JOURNAL}"
  sync "${JOURNAL}"
}

# Runs jq over the array of the journal's lines. A line that an interruption cut off does not count.
journal() {
  local filter=$1
  shift
  if [[ -e ${JOURNAL} ]]; then
    jq -Rrn "$@" "[inputs | fromjson? | objects] | ${filter}" "${JOURNAL}"
  else
    jq -rn "$@" "[] | ${filter}"
  fi
}

# Ends the script if its journal has a line of another deployment, which may have the same IDs: what was done there was not
# done here. Lines of earlier versions have no deployment; `keysunset plan` found that they are of this one.
refuse_other_journal() {
  local other
  other=$(journal 'map(select((has("deployment") or has("base_url")) and [.deployment, .base_url] != [$name, $url]))
    | .[0] // empty | "\(.deployment), \(.base_url)"' --arg name "${DEPLOYMENT}" --arg url "${BASE_URL}")
  [[ -z ${other} ]] || die "the journal $(quoted "${JOURNAL}") is of another deployment: $(quoted "${other}"), and this \
script of $(quoted "${DEPLOYMENT}, ${BASE_URL}")" 'run keysunset plan with another folder as --out, and use the script there'
}

# journal_of REPLACEMENT FILTER [ARGUMENT OF JQ]...: the same for the lines of one replacement. Several organizations may
# have one tag.
journal_of() {
  local index=$1 filter=$2
  shift 2
  journal 'map(select(.tag == $tag and (.org_id // "") == $org)) | '"${filter}" \
    --arg tag "${TAGS[index]}" --arg org "${ORG_IDS[index]}" "$@"
}

# Whether a key of a replacement once had all planned roles: what it lacks now, a person took away, or a later plan added.
was_complete() {
  [[ $(journal_of "$1" 'any(.[]; .key_id == $id and (.stage == "complete" or .stage == "check"))' --arg id "$2") == true ]]
}

# Keys that this script disabled and did not enable again, one a line.
disabled_here() {
  journal 'map(select(.key_id | type == "string")) | reduce .[] as $line ({};
      if $line.stage == "disabling" or $line.stage == "disable" then .[$line.key_id] = true
      elif $line.stage == "rollback" or $line.stage == "refused" or $line.stage == "delete" then del(.[$line.key_id])
      else . end) | keys[]'
}

# One run of this script at a time.
lock() {
  local lock="${JOURNAL%.done}.lock"
  [[ -w ${JOURNAL%/*} && (! -e ${JOURNAL} || -w ${JOURNAL}) && (! -e ${lock} || -w ${lock}) ]] ||
    die "the folder $(quoted "${JOURNAL%/*}") cannot be written to" 'the journal of this script must be beside it'
  if command -v flock >/dev/null; then
    exec 9>>"${lock}"
    flock -n 9 || die "another run of ${OWNER_FILE} is active" 'wait until it ends'
  else
    mkdir -- "${lock}.d" 2>/dev/null ||
      die "another run of ${OWNER_FILE} is active" "wait until it ends; after a crash, remove the folder ${lock}.d"
    # shellcheck disable=SC2064 # the name is known now
    trap "$(printf 'rmdir -- %q' "${lock}.d")" EXIT
  fi
  # The next line must not continue one that an interruption cut off.
  if [[ -s ${JOURNAL} && -n $(tail -c 1 -- "${JOURNAL}") ]]; then
    printf '\n' >>"${JOURNAL}"
  fi
}

# --- New private keys -------------------------------------------------------------------------------------------------

# The file of a replacement's private key. Its name has the ID of the old key if the tag has it (--per key), so that a later
# plan finds the file, whatever other replacements it has.
secret_file() {
  local index=$1 name key
  name=${OWNER_ID}-${ORG_IDS[index]:-global}
  key=${REPLACED[index]%%,*}
  if [[ -n ${key} && ${TAGS[index]} == *[:-]"${key}" && ${key} != "${OWNER_ID}" ]]; then
    name+=-${key}
  fi
  printf '%s/%s.json' "${KEYSUNSET_SECRETS%/}" "${name}"
}

# Checks where private keys go, before a key is made.
prepare_secrets() {
  local folder=${KEYSUNSET_SECRETS-} open
  [[ ${SECRET_HOURS} =~ ^[0-9]{1,4}$ && $((10#${SECRET_HOURS})) -ge 8 && $((10#${SECRET_HOURS})) -le 8760 ]] ||
    die 'KEYSUNSET_SECRET_HOURS is not a number from 8 to 8760'
  if [[ -n ${KEYSUNSET_SECRET_COMMAND-} ]]; then
    [[ -z ${folder} ]] || die 'KEYSUNSET_SECRETS and KEYSUNSET_SECRET_COMMAND are both set' 'set only one of them'
    read -ra SECRET_COMMAND <<<"${KEYSUNSET_SECRET_COMMAND}"
    command -v -- "${SECRET_COMMAND[0]-}" >/dev/null ||
      die "the program of KEYSUNSET_SECRET_COMMAND was not found: $(quoted "${SECRET_COMMAND[0]-}")"
    return 0
  fi
  [[ -n ${folder} ]] || die 'no place for the new private keys' \
    'set KEYSUNSET_SECRETS to a folder, or KEYSUNSET_SECRET_COMMAND to a program that reads a key from its input'
  [[ ${folder} == /* ]] || KEYSUNSET_SECRETS=${PWD}/${folder}
  mkdir -p -- "${KEYSUNSET_SECRETS}"
  open=$(find "${KEYSUNSET_SECRETS}/." -prune \( -perm -040 -o -perm -020 -o -perm -010 -o -perm -04 -o -perm -02 \
    -o -perm -01 \) -print)
  [[ -z ${open} && -O ${KEYSUNSET_SECRETS} ]] ||
    die "others have access to the folder $(quoted "${folder}")" 'use a folder of your own and of mode 0700'
}

# Whether the private key of this replacement is stored: in its file, or by the command, as the journal has it. Ends the
# script if the file has that of another key or deployment.
secret_is_stored() {
  local index=$1 id=$2 file
  if [[ -n ${KEYSUNSET_SECRETS-} ]]; then
    file=$(secret_file "${index}")
    if [[ -e ${file} ]]; then
      jq -se --arg id "${id}" --arg url "${BASE_URL}" 'length == 1 and .[0].id == $id and .[0].baseUrl == $url' \
        "${file}" >/dev/null 2>&1 ||
        die "the file $(quoted "${file}") has another key than ${id} of ${BASE_URL}, which has the tag ${TAGS[index]}" \
          'set KEYSUNSET_SECRETS to a folder for this deployment alone, or move the file; it is never overwritten'
      return 0
    fi
  fi
  [[ $(journal 'any(.[]; .stage == "create" and .key_id == $id and .where == "command")' --arg id "${id}") == true ]]
}

# Stores the private key of the last answer.
store_secret() {
  local index=$1 file partial filter time
  time=$(now)
  filter='{id, publicKey, privateKey, orgId: $org, desc, baseUrl: $url, created: $time}'
  if is_account "${index}"; then
    filter='{id: .clientId, clientId, clientSecret: .secrets[0].secret, expiresAt: .secrets[0].expiresAt, orgId: $org,
      desc: .name, baseUrl: $url, created: $time}'
  fi
  local -a secret=(jq -c --arg org "${ORG_IDS[index]}" --arg url "${BASE_URL}" --arg time "${time}" "${filter}")
  if [[ -n ${KEYSUNSET_SECRET_COMMAND-} ]]; then
    printf '%s' "${ANSWER}" | "${secret[@]}" | "${SECRET_COMMAND[@]}" >/dev/null 9>&-
    return
  fi
  file=$(secret_file "${index}")
  # Left over where a run was interrupted.
  rm -f -- "${KEYSUNSET_SECRETS}/.${file##*/}".*
  partial=$(mktemp -- "${KEYSUNSET_SECRETS}/.${file##*/}.XXXXXX") || return 1
  # A link, unlike a move, fails where the file exists.
  if ! { printf '%s' "${ANSWER}" | "${secret[@]}" >"${partial}" && sync "${partial}" &&
    ln -- "${partial}" "${file}"; }; then
    rm -f -- "${partial}"
    return 1
  fi
  rm -f -- "${partial}"
  sync "${KEYSUNSET_SECRETS}"
}

# --- Replacements -----------------------------------------------------------------------------------------------------

is_account() {
  [[ ${KINDS[$1]} == account ]]
}

keys_path() {
  if is_account "$1"; then
    printf '/v2/orgs/%s/serviceAccounts' "${ORG_IDS[$1]}"
  elif [[ -n ${ORG_IDS[$1]} ]]; then
    printf '/orgs/%s/apiKeys' "${ORG_IDS[$1]}"
  else
    printf '/admin/apiKeys'
  fi
}

place() {
  if [[ -n ${ORG_IDS[$1]} ]]; then
    printf 'organization %s' "$(quoted "${ORG_NAMES[$1]}")"
  else
    printf 'the whole deployment'
  fi
}

new_key_body() {
  if is_account "$1"; then
    jq -acn --arg name "${TAGS[$1]}" --arg desc "${DESCRIPTIONS[$1]}" --arg roles "${ORG_ROLES[$1]}" \
      --argjson hours "$((10#${SECRET_HOURS}))" \
      '{name: $name, description: $desc, roles: ($roles / ","), secretExpiresAfterHours: $hours}'
  else
    jq -acn --arg desc "${DESCRIPTIONS[$1]}" --arg roles "${ORG_ROLES[$1]}" '{desc: $desc, roles: ($roles / ",")}'
  fi
}

# The condition for a programmatic key.
readonly KEY_SHAPE='type == "object" and (.id | type == "string" and test("^[0-9a-fA-F]{24}$"))
  and (.publicKey | type == "string" and test("^[A-Za-z0-9]+$")) and (.desc | type == "string" or . == null)
  and (.roles | type == "array") and all(.roles[]; (.roleName | type) == "string")'

# The condition for a service account, and its fields with the names of a key's.
readonly ACCOUNT_SHAPE='type == "object" and (.clientId | type == "string" and test("^mdb_sa_id_[0-9a-fA-F]{24}$"))
  and (.name | type == "string") and (.roles | type == "array") and all(.roles[]; type == "string")'
readonly ACCOUNT_AS_KEY='{id: .clientId, publicKey: .clientId, desc: .name,
  roles: [.roles[] | {orgId: $org, roleName: .}]}'

# Sets FOUND to the replacement of the last answer, with all its roles, if it has this ID.
take_replacement() {
  local index=$1 id=$2
  if is_account "${index}"; then
    expect "${ACCOUNT_SHAPE}"' and .clientId == $id' --arg id "${id}"
    FOUND=$(pick "${ANSWER}" "${ACCOUNT_AS_KEY}" --arg org "${ORG_IDS[index]}")
    add_project_roles "${index}" "${id}"
  else
    expect "${KEY_SHAPE}"' and .id == $id' --arg id "${id}"
    FOUND=$(pick "${ANSWER}" '{id, publicKey, desc, roles}')
  fi
}

# Adds to FOUND the roles of a service account in projects, which are in lists of their own.
add_project_roles() {
  local index=$1 id=$2 list group
  read_list "$(keys_path "${index}")/${id}/groups" 'type == "object"
    and (.groupId | type == "string" and test("^[0-9a-fA-F]{24}$")) and (.roles | type == "array" or . == null)' \
    '{groupId, roles}'
  list=${LIST}
  # The list may leave the roles out.
  while IFS= read -r group; do
    request GET "/v2/groups/${group}/serviceAccounts/${id}"
    expect "${ACCOUNT_SHAPE}"
    list=$(printf '%s\n%s' "${list}" "${ANSWER}" | jq -cs --arg group "${group}" '.[1].roles as $roles
      | .[0] | map(if .groupId == $group then .roles = $roles else . end)')
  done < <(pick "${list}" '.[] | select(.roles == null) | .groupId')
  FOUND=$(printf '%s\n%s' "${FOUND}" "${list}" | jq -cs '.[1] as $groups
    | .[0] | .roles += [$groups[] | .groupId as $id | .roles[] | {groupId: $id, roleName: .}]')
}

# Sets FOUND to the replacement with this tag, without roles of a service account in projects; empty if there is none.
find_replacement() {
  local index=$1 count path
  path=$(keys_path "${index}")
  if is_account "${index}"; then
    read_list "${path}" "${ACCOUNT_SHAPE}" "${ACCOUNT_AS_KEY}" --arg org "${ORG_IDS[index]}"
  else
    read_list "${path}" "${KEY_SHAPE}" '{id, publicKey, desc, roles}'
  fi
  FOUND=$(pick "${LIST}" 'map(select((.desc // "") | split(" ")[0] == $tag))' --arg tag "${TAGS[index]}")
  count=$(pick "${FOUND}" length)
  ((count < 2)) || die "${count} keys of $(place "${index}") have the tag ${TAGS[index]}: $(pick "${FOUND}" \
    'map(.id) | join(", ")')" 'find out which of them is in use, delete the others, and run create again'
  FOUND=$(pick "${FOUND}" '.[0] // empty')
}

# Roles of a key in a scope: `org`, `group` or `global`, with the ID.
readonly ROLES_IN='[.roles[] | select(if $scope == "global" then .orgId == null and .groupId == null
  elif $scope == "org" then .orgId == $in and .groupId == null else .groupId == $in end) | .roleName]'

# add_roles REPLACEMENT SCOPE ID ROLES: the service replaces all roles of a scope by those of the request, so the request
# also has the roles that the key has there already.
add_roles() {
  local index=$1 scope=$2 in=$3 id roles path method=PATCH
  roles=$(pick "${FOUND}" "${ROLES_IN}"' as $have | (($roles / ",") - $have) as $missing
    | if $missing == [] then empty else $have + $missing | join(",") end' \
    --arg scope "${scope}" --arg in "${in}" --arg roles "$4")
  [[ -n ${roles} ]] || return 0
  id=$(pick "${FOUND}" .id)
  if [[ ${scope} != group ]]; then
    path=$(keys_path "${index}")/${id}
  elif is_account "${index}"; then
    path=/v2/groups/${in}/serviceAccounts/${id}
    if ! matches "${FOUND}" 'any(.roles[]; .groupId == $in)' --arg in "${in}"; then
      method=POST path+=:invite
    fi
  else
    path=/groups/${in}/apiKeys/${id}
  fi
  if [[ ${scope} == group ]] && tool_works "${index}"; then
    set_assign_arguments "${id}" "${in}" "${roles}"
    run_tool
    [[ ${STATUS} == 200 ]] || refused
  else
    request "${method}" "${path}" "$(roles_body "${roles}")"
    expect 'type == "object"'
  fi
  say "  roles set: $4"
}

roles_body() {
  jq -cn --arg roles "$1" '{roles: ($roles / ",")}'
}

# Planned and actual roles of a key, as `scope role` pairs. Sets MISSING and EXTRA.
compare_roles() {
  local index=$1 key=$2 planned result
  planned=$(printf '%s=%s\n' "${ORG_IDS[index]}" "${ORG_ROLES[index]}"
    [[ -z ${PROJECTS[index]} ]] || printf '%s\n' "${PROJECTS[index]// /$'\n'}")
  result=$(pick "${key}" '[$planned / "\n" | .[] | split("=") as $p | $p[1] / "," | .[] | ($p[0] + " " + .)] as $want
    | [.roles[] | (.groupId // .orgId // "") + " " + .roleName] as $have
    | {missing: ($want - $have | unique), extra: ($have - $want | unique)}' --arg planned "${planned}")
  MISSING=$(pick "${result}" '.missing | join(", ")')
  EXTRA=$(pick "${result}" '.extra | join(", ")')
}

# Sends the creation of a replacement, with the tool of the plan where it works.
send_creation() {
  local index=$1
  if tool_works "${index}"; then
    set_create_arguments "${index}"
    run_tool
  else
    request POST "$(keys_path "${index}")" "$(new_key_body "${index}")"
  fi
}

# Ends the script unless the last answer is that of the creation of a replacement, with its secret. Sets NEW_ID.
expect_new_secret() {
  local index=$1 condition='.privateKey | type == "string" and test("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"; "i")'
  if is_account "${index}"; then
    expect "${ACCOUNT_SHAPE}"' and .name == $tag' --arg tag "${TAGS[index]}"
    condition='.secrets | length == 1 and (.[0].secret | type == "string" and test("^mdb_sa_sk_[A-Za-z0-9_-]+$"))'
    NEW_ID=$(pick "${ANSWER}" .clientId)
  else
    expect "${KEY_SHAPE}"' and .desc == $desc' --arg desc "${DESCRIPTIONS[index]}"
    NEW_ID=$(pick "${ANSWER}" .id)
  fi
  matches "${ANSWER}" "${condition}" ||
    die "${REQUEST}: the answer has no private key" 'use create --recreate: the new key is deleted and created again'
}

make_replacement() {
  local index=$1 file where=file
  if [[ -n ${KEYSUNSET_SECRETS-} ]]; then
    file=$(secret_file "${index}")
    [[ ! -e ${file} ]] || die "the file $(quoted "${file}") is there, but its key is not at ${BASE_URL}" \
      'set KEYSUNSET_SECRETS to a folder for this deployment alone, or move the file; it is never overwritten'
  fi
  record creating '' "${index}"
  send_creation "${index}"
  [[ ${STATUS} != 4?? ]] || record create-refused '' "${index}"
  expect_new_secret "${index}"
  [[ -z ${KEYSUNSET_SECRET_COMMAND-} ]] || where='command'
  if ! store_secret "${index}"; then
    ANSWER=''
    warn "the private key of ${NEW_ID} was not stored, so the key is deleted"
    remove_replacement "$(keys_path "${index}")" "${NEW_ID}"
    die "no place for the private key of ${TAGS[index]}" 'check KEYSUNSET_SECRETS or KEYSUNSET_SECRET_COMMAND'
  fi
  if is_account "${index}"; then
    FOUND=$(pick "${ANSWER}" "${ACCOUNT_AS_KEY}" --arg org "${ORG_IDS[index]}")
  else
    FOUND=$(pick "${ANSWER}" '{id, publicKey, desc, roles}')
  fi
  ANSWER=''
  record create "${NEW_ID}" "${index}" "${where}"
  say "  created: $(key_title)"
}

# How the replacement of FOUND is named in messages.
key_title() {
  pick "${FOUND}" 'if .id == .publicKey then "service account " + .id else "key " + .publicKey + " (" + .id + ")" end'
}

remove_replacement() {
  request DELETE "$1/$2"
  [[ ${STATUS} == 20[04] || ${ERROR_CODE} == API_KEY_NOT_FOUND || ${ERROR_CODE} == SERVICE_ACCOUNT_NOT_FOUND ]] ||
    refused
}

# Decides about a key that has the tag: FOUND stays if it is complete, and becomes empty if it was deleted.
keep_or_remove() {
  local index=$1 id last
  id=$(pick "${FOUND}" .id)
  if secret_is_stored "${index}" "${id}"; then
    say "  exists: $(key_title)"
    ! is_account "${index}" || add_project_roles "${index}" "${id}"
    return 0
  fi
  if [[ ${RECREATE} == false ]]; then
    last=$(journal_of "${index}" 'map(select(.stage == "creating" or .stage == "create" or .stage == "create-refused"))
      | last // empty | select(.stage == "creating") | .time')
    # It may as well be a key that another run made and gave to its owner.
    [[ -z ${last} ]] || warn "a creation that began at $(quoted "${last}") did not end: this key may be the result of it"
    die "key ${id} of $(place "${index}") has the tag ${TAGS[index]}, but its private key is not stored here" \
      'set KEYSUNSET_SECRETS to the folder with its file; if the private key is lost, use create --recreate'
  fi
  say "  deleted: key ${id}, whose private key is not stored"
  remove_replacement "$(keys_path "${index}")" "${id}"
  FOUND=''
}

create_replacement() {
  local index=$1 id project complete=false
  say "${TAGS[index]}, $(place "${index}")"
  find_replacement "${index}"
  [[ -z ${FOUND} ]] || keep_or_remove "${index}"
  [[ -n ${FOUND} ]] || make_replacement "${index}"
  id=$(pick "${FOUND}" .id)
  if [[ ${SET_ROLES} == false ]] && was_complete "${index}" "${id}"; then
    complete=true
  elif [[ -z ${ORG_IDS[index]} ]]; then
    add_roles "${index}" global '' "${ORG_ROLES[index]}"
  else
    add_roles "${index}" org "${ORG_IDS[index]}" "${ORG_ROLES[index]}"
    for project in ${PROJECTS[index]}; do
      add_roles "${index}" group "${project%%=*}" "${project#*=}"
    done
  fi
  request GET "$(keys_path "${index}")/${id}"
  take_replacement "${index}" "${id}"
  compare_roles "${index}" "${FOUND}"
  if [[ -n ${MISSING} && ${complete} == true ]]; then
    warn "key ${id} has fewer roles than planned, and was not changed: $(quoted "${MISSING}")"
    printf '  help:  %s\n' 'create --set-roles adds them; check --fewer-roles accepts that they are missing' >&2
  elif [[ -n ${MISSING} ]]; then
    die "key ${id} has not all planned roles: $(quoted "${MISSING}")" 'run create again'
  elif [[ ${complete} == false ]]; then
    record complete "${id}" "${index}"
  fi
  [[ -z ${EXTRA} ]] || warn "key ${id} has roles that are not in the plan: $(quoted "${EXTRA}")"
  complete_access_list "${index}" "${FOUND}"
}

# --- Tool of the plan -------------------------------------------------------------------------------------------------

# Ends the script if Terraform creates the replacements of this plan.
refuse_terraform() {
  [[ ${TOOL} != terraform ]] || die 'Terraform creates the replacements of this plan; this script does not' \
    'run terraform apply in the folder of this script; to create them here, plan again with --tool curl'
}

require_tool() {
  [[ ${TOOL} != mongocli && ${TOOL} != atlas ]] || command -v "${TOOL}" >/dev/null ||
    die "${TOOL} is not installed" "install ${TOOL}, or plan again with --tool curl"
}

# Whether the tool of the plan works for a replacement. It does not behind a balancer that gives each request to the next
# server, nor below another path than the vendor's.
tool_works() {
  is_account "$1" && return 1
  [[ ${IN_TURN} == false ]] || return 1
  case ${TOOL} in
    mongocli) [[ ${BASE_URL} == */api/public/v1.0 ]] && { [[ ${BASE_URL} == http://* ]] || has_authorities; } ;;
    atlas) [[ ${BASE_URL} == */api/atlas/v1.0 && -n ${ORG_IDS[$1]} ]] ;;
    *) return 1 ;;
  esac
}

# Sets AUTHORITIES to a file with certificate authorities. Without one, mongocli checks no certificate.
has_authorities() {
  local file
  for file in "${KEYSUNSET_CA_CERT-}" "${SSL_CERT_FILE-}" /etc/ssl/certs/ca-certificates.crt \
    /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
    if [[ -n ${file} && -r ${file} ]]; then
      AUTHORITIES=${file}
      return 0
    fi
  done
  return 1
}

# The next functions set ARGUMENTS to those of a command of the tool.
set_create_arguments() {
  local -a command=(organizations apiKeys create --orgId "${ORG_IDS[$1]}")
  [[ -n ${ORG_IDS[$1]} ]] || command=(globalApiKeys create)
  [[ ${TOOL} == atlas ]] || command=(iam "${command[@]}")
  ARGUMENTS=("${command[@]}" --role "${ORG_ROLES[$1]}" --desc "${DESCRIPTIONS[$1]}" --output json)
}

# set_assign_arguments KEY PROJECT ROLES
set_assign_arguments() {
  ARGUMENTS=(projects apiKeys assign "$1" --projectId "$2" --role "$3" --output json)
  [[ ${TOOL} == atlas ]] || ARGUMENTS=(iam "${ARGUMENTS[@]}")
}

# set_entry_arguments REPLACEMENT KEY BLOCKS: false where the tool has no such command. mongocli calls accessList, which
# Ops Manager has since 5.0.
set_entry_arguments() {
  [[ -n ${ORG_IDS[$1]} && ${LIST_NAME} == accessList ]] || return 1
  ARGUMENTS=(organizations apiKeys accessLists create --apiKey "$2" --orgId "${ORG_IDS[$1]}" --cidr "$3" --output json)
  [[ ${TOOL} == atlas ]] || ARGUMENTS=(iam "${ARGUMENTS[@]}")
}

# Runs the tool with the credential in its environment, and without settings of the caller's.
call_tool() {
  local name origin="${BASE_URL%/api/*}/"
  for name in "${!MCLI_@}" "${!MONGODB_ATLAS_@}"; do
    unset "${name}"
  done
  if [[ ${TOOL} == mongocli ]]; then
    export MCLI_SERVICE=${PRODUCT} MCLI_OPS_MANAGER_URL=${origin} MCLI_PUBLIC_API_KEY=${LOGIN_PUBLIC}
    export MCLI_PRIVATE_API_KEY=${LOGIN_PRIVATE} MCLI_SKIP_UPDATE_CHECK=yes
    [[ ${BASE_URL} == http://* ]] || export MCLI_OPS_MANAGER_CA_CERTIFICATE=${AUTHORITIES}
  else
    export MONGODB_ATLAS_SERVICE=cloud MONGODB_ATLAS_OPS_MANAGER_URL=${origin} MONGODB_ATLAS_BASE_URL=${origin}
    export MONGODB_ATLAS_PUBLIC_API_KEY=${LOGIN_PUBLIC} MONGODB_ATLAS_PRIVATE_API_KEY=${LOGIN_PRIVATE}
    export MONGODB_ATLAS_SKIP_UPDATE_CHECK=yes DO_NOT_TRACK=1
    [[ -z ${KEYSUNSET_CA_CERT-} ]] || export SSL_CERT_FILE=${KEYSUNSET_CA_CERT}
  fi
  exec "${TOOL}" "${ARGUMENTS[@]}" </dev/null 9>&-
}

# Runs the command of ARGUMENTS. Sets STATUS, ANSWER and ERROR_CODE, as `request` does.
run_tool() {
  local attempt code log text
  local mongocli=': ([0-9]{3}) \(request "([A-Z0-9_]*)"\)' atlas='HTTP ([0-9]{3}) .*\(Error code: "([A-Z0-9_]*)"\)'
  log=$(mktemp)
  for ((attempt = 1; ; attempt++)); do
    code=0 REQUEST="${TOOL} ${ARGUMENTS[*]:0:4}" STATUS=200 ERROR_CODE=''
    ANSWER=$(call_tool 2>"${log}") || code=$?
    text=$(head -c 2000 -- "${log}")
    rm -f -- "${log}"
    ((code != 0)) || return 0
    [[ ${text} =~ ${mongocli} || ${text} =~ ${atlas} ]] ||
      die "${REQUEST}: ${TOOL} ended with ${code}: $(quoted "${text:0:300}")" \
        "run the same stage again; a plan with --tool curl does not need ${TOOL}"
    STATUS=${BASH_REMATCH[1]} ERROR_CODE=${BASH_REMATCH[2]}
    wait_for_rate_limit "${attempt}" || return 0
  done
}

# --- Access lists -----------------------------------------------------------------------------------------------------

list_path() {
  if is_account "$1"; then
    printf '%s/%s/accessList' "$(keys_path "$1")" "$2"
  elif [[ -n ${ORG_IDS[$1]} ]]; then
    printf '/orgs/%s/apiKeys/%s/%s' "${ORG_IDS[$1]}" "$2" "${LIST_NAME}"
  else
    printf '/admin/%s' "${LIST_NAME}"
  fi
}

# The addresses of the plan and of KEYSUNSET_ADDRESSES, as a JSON array of CIDR blocks.
wanted_blocks() {
  jq -cn --arg all "${ADDRESSES[$1]},${KEYSUNSET_ADDRESSES-}" "${BLOCK}"'
    [$all | splits("[,\\s]+") | select(. != "") | block]
    | reduce .[] as $one ([]; if index([$one]) then . else . + [$one] end)'
}
readonly BLOCK='def block: ascii_downcase | if test("/") then . elif test(":") then . + "/128" else . + "/32" end;'

check_addresses() {
  local address
  local -a given
  IFS=$' ,\t\n' read -rd '' -a given <<<"${KEYSUNSET_ADDRESSES-},${KEYSUNSET_RUNNER_ADDRESS-}" || true
  for address in ${given[@]+"${given[@]}"}; do
    [[ -z ${address} ]] || is_network "${address}" ||
      die "$(quoted "${address}") is not an address or a CIDR block" \
        'correct KEYSUNSET_ADDRESSES or KEYSUNSET_RUNNER_ADDRESS'
  done
}

# The address of this machine as the service saw it when it made the key: the events of an organization have it.
runner_address() {
  local index=$1 key=$2 address=${KEYSUNSET_RUNNER_ADDRESS-}
  if [[ -z ${address} && -n ${ORG_IDS[index]} ]] && ! is_account "${index}"; then
    request GET "/orgs/${ORG_IDS[index]}/events?eventType=API_KEY_CREATED&itemsPerPage=${PAGE_SIZE}"
    [[ ${STATUS} != 200 ]] || address=$(pick "${ANSWER}" '[.results[]? | objects
      | select(.eventTypeName == "API_KEY_CREATED" and .targetPublicKey == $new
          and (.publicKey == $me or .username == $me)) | .remoteAddress | strings][0] // ""' \
      --arg new "$(pick "${key}" .publicKey)" --arg me "${LOGIN_PUBLIC}") || address=''
  fi
  [[ -z ${address} ]] || ! is_network "${address}" || printf '%s' "${address}"
}

# add_entries REPLACEMENT ID BLOCKS: adds these to the access list of a key or service account.
add_entries() {
  local index=$1 id=$2 blocks=$3 path body
  if tool_works "${index}" && set_entry_arguments "${index}" "${id}" "$(pick "${blocks}" 'join(",")')"; then
    run_tool
    [[ ${STATUS} == 200 ]] || refused
    return 0
  fi
  path=$(list_path "${index}" "${id}")
  body=$(pick "${blocks}" 'map({cidrBlock: .})')
  request POST "${path}" "${body}"
  expect 'type == "object"'
}

# Adds what is missing. The first entry of a list admits that entry alone, so this machine's address is the first.
complete_access_list() {
  local index=$1 key=$2 path wanted runner=${KEYSUNSET_RUNNER_ADDRESS-} missing body block
  wanted=$(wanted_blocks "${index}")
  if [[ ${wanted} == '[]' ]]; then
    say '  access list: no entry, because the plan and KEYSUNSET_ADDRESSES have no address'
    return 0
  fi
  path=$(list_path "${index}" "$(pick "${key}" .id)")
  read_list "${path}" 'type == "object" and ((.cidrBlock // .ipAddress) | type) == "string"' \
    '{id, block: (.cidrBlock // .ipAddress)}'
  if [[ ${LIST} == '[]' ]]; then
    runner=$(runner_address "${index}" "${key}")
    if [[ -z ${runner} ]]; then
      warn 'access list: no entry was made: a first entry would lock out this machine, whose address is not known'
      [[ -n ${ORG_IDS[index]} ]] || warn 'all global keys share this list: a first entry locks out all other addresses'
      printf '  help:  %s\n' 'set KEYSUNSET_RUNNER_ADDRESS to the address of this machine, and run create again' >&2
      INCOMPLETE=true
      return 0
    fi
  fi
  missing=$(pick "${LIST}" "${BLOCK}"'map(.block | block) as $have | [$runner | select(. != "") | block] as $first
    | ($first + ($wanted - $first)) - $have' --arg runner "${runner}" --argjson wanted "${wanted}")
  if [[ ${missing} == '[]' ]]; then
    say '  access list: complete'
  elif [[ -n ${ORG_IDS[index]} ]]; then
    add_entries "${index}" "$(pick "${key}" .id)" "${missing}"
    say "  access list: added $(pick "${missing}" 'join(", ")')"
  else
    while IFS= read -r block; do
      body=$(jq -cn --arg block "${block}" --arg tag "${TAGS[index]}" '{cidrBlock: $block, description: $tag}')
      request POST "${path}" "${body}"
      expect 'type == "object"'
      say "  access list of all global keys: added ${block}"
    done < <(pick "${missing}" '.[]')
  fi
}

# --- Personal keys ----------------------------------------------------------------------------------------------------

key_path() {
  printf '/users/%s/keys/%s' "${OWNER_ID}" "$1"
}

# How a key is named in messages.
key_name() {
  printf 'key %s %s' "${KEY_IDS[$1]}" "$(quoted "${KEY_DESCRIPTIONS[$1]}")"
}

# selected DECISION...: the indices of the keys with one of these decisions that the options select.
selected() {
  local index
  for index in "${!KEY_IDS[@]}"; do
    if [[ -n ${WAVE} && ${KEY_WAVES[index]} != "${WAVE}" ]]; then
      continue
    fi
    if [[ " $* " == *" ${KEY_DECISIONS[index]} "* || (${KEY_DECISIONS[index]} == self && ${WITH_SELF} == true) ]]; then
      printf '%s\n' "${index}"
    fi
  done
}

# read_key ID: sets KEY_STATE to enabled, disabled or gone, and NOW_USED and NOW_COUNT, empty for null.
read_key() {
  request GET "$(key_path "$1")"
  if [[ ${STATUS} == 404 && ${ERROR_CODE} == INVALID_KEY_ID ]]; then
    KEY_STATE=gone NOW_USED='' NOW_COUNT=''
    return 0
  fi
  expect 'type == "object" and .id == $id and (.enabled | tostring | . == "true" or . == "false")
    and (.lastUsed | . == null or (type == "string" and test("^[0-9TZ:.+-]+$")))
    and (.usedCount | . == null or type == "number")' --arg id "$1"
  KEY_STATE=$(pick "${ANSWER}" 'if (.enabled | tostring) == "true" then "enabled" else "disabled" end')
  NOW_USED=$(pick "${ANSWER}" '.lastUsed // ""')
  NOW_COUNT=$(pick "${ANSWER}" '.usedCount | if . == null then "" else tostring end')
}

# Prints a time in one form, so that equal times are equal texts.
same_form() {
  local time=$1
  [[ ${time} =~ ^(.*)\.[0-9]+(Z|\+00:00)$ ]] && time=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
  printf '%s' "${time/%+00:00/Z}"
}

# Whether a key needs a replacement that works before it is given up.
needs_replacement() {
  [[ ${WITHOUT_CHECK} == false && (${KEY_DECISIONS[$1]} == replace || ${KEY_DECISIONS[$1]} == self) ]]
}

# replacements_of KEY: the indices of its replacements.
replacements_of() {
  local replacement
  for replacement in "${!TAGS[@]}"; do
    [[ ,${REPLACED[replacement]}, != *",${KEY_IDS[$1]},"* ]] || printf '%s\n' "${replacement}"
  done
}

# The last `check` of a replacement, as JSON: the ID of the key, since when all checks of this key passed, and the roles that
# it may lack. Empty if the last one failed or did not end, or if there is none.
passed_check() {
  journal_of "$1" 'reduce .[] as $line ({};
      if $line.stage == "create" then {}
      elif $line.stage == "checking" then (if .open then {} else . end) | .open = true
      elif $line.stage == "check" then {id: $line.key_id, missing: ($line.missing // ""),
        since: ((if .id == $line.key_id then .since else null end) // $line.time)}
      else . end) | if .open or .id == null then empty else tojson end'
}

# When clients could move to the replacements of a key: since when the last of them passed each `check`. Empty if one of them
# did not pass the last one.
switched_at() {
  local at='' replacement passed time
  while IFS= read -r replacement; do
    passed=$(passed_check "${replacement}")
    [[ -n ${passed} ]] || return 0
    time=$(pick "${passed}" .since)
    [[ ${at} > ${time} ]] || at=${time}
  done < <(replacements_of "$1")
  printf '%s' "${at}"
}

# Sets PROBLEM to what a replacement of a key lost since it passed `check`; empty if all of them are as they were.
find_loss() {
  local replacement
  while IFS= read -r replacement; do
    [[ -n ${LOSSES[replacement]+known} ]] || look_at_replacement "${replacement}"
    PROBLEM=${LOSSES[replacement]}
    [[ -z ${PROBLEM} ]] || return 0
  done < <(replacements_of "$1")
}

# Sets LOSSES of a replacement that passed `check`.
look_at_replacement() {
  local index=$1 passed id path name
  passed=$(passed_check "${index}")
  id=$(pick "${passed}" .id)
  require_match "${id}" '^(mdb_sa_id_)?[0-9a-fA-F]{24}$' 'a key of the journal'
  path=$(keys_path "${index}")/${id} name="key ${id} of $(place "${index}")"
  request GET "${path}"
  # Who may disable a key may not always read its replacement, which can read itself.
  if [[ ${STATUS} == 40[13] ]] && has_secret_file "${index}"; then
    log_in_as_new_key "${index}"
    request GET "${path}"
  fi
  LOSSES[index]=''
  if [[ ${STATUS} == 200 ]]; then
    take_replacement "${index}" "${id}"
    compare_roles "${index}" "${FOUND}"
    MISSING=$(pick "${passed}" '($missing / ", ") - (.missing / ", ") | join(", ")' --arg missing "${MISSING}")
    [[ -z ${MISSING} ]] || LOSSES[index]="has a replacement without all planned roles: ${name} lacks $(quoted "${MISSING}")"
  else
    LOSSES[index]="has a replacement that passed check and cannot be read now: ${name}, status"
    LOSSES[index]+=" ${STATUS}${ERROR_CODE:+ ${ERROR_CODE}}"
  fi
  log_in_from_environment
}

# Sets PROBLEM to why a key must not be disabled, and STATE to what it is in short; PROBLEM is empty if it may be disabled.
find_problem() {
  local index=$1 last planned seconds since age
  seconds=$((VERIFY_DAYS * 86400)) PROBLEM='' STATE='in use'
  last=$(same_form "${NOW_USED}")
  planned=$(same_form "${KEY_LAST_USED[index]}")
  if [[ ${last} != "${planned}" || ${NOW_COUNT} != "${KEY_USED_COUNTS[index]}" ]]; then
    PROBLEM="was used after the run of the plan: last used ${last:-unknown} (plan: ${planned:-unknown}), uses"
    PROBLEM+=" ${NOW_COUNT:-unknown} (plan: ${KEY_USED_COUNTS[index]:-unknown})"
    return 0
  fi
  if [[ -n ${last} ]] && ((seconds > 0)); then
    since=$(epoch "${last}") || die "the time of the last use is not valid: ${last}"
    age=$(($(date -u +%s) - since))
    if ((age < seconds)); then
      PROBLEM="was last used ${last}, which is less than ${VERIFY_DAYS} days ago"
      return 0
    fi
  fi
  needs_replacement "${index}" || return 0
  STATE='not ready'
  last=$(switched_at "${index}")
  if [[ -z ${last} ]]; then
    PROBLEM=${NO_REPLACEMENT}
    return 0
  fi
  since=$(epoch "${last}") || die "a time in the journal is not valid: $(quoted "${last}")"
  age=$(($(date -u +%s) - since))
  if ((age < seconds)); then
    PROBLEM="has a replacement since ${last}, which is less than ${VERIFY_DAYS} days ago"
    return 0
  fi
  find_loss "${index}"
}
readonly NO_REPLACEMENT='has no replacement that passed check in each organization'

# Reads the selected keys. Sets NOT_READY to the number of those that must not be disabled, and READY to the indices of the
# other enabled ones.
verify_keys() {
  local index
  READY=() NOT_READY=0
  [[ -n $(selected replace retire) ]] || say 'no key is selected'
  while IFS= read -r index; do
    read_key "${KEY_IDS[index]}"
    if [[ ${KEY_STATE} != enabled ]]; then
      say "${KEY_STATE}: $(key_name "${index}")"
      continue
    fi
    find_problem "${index}"
    if [[ -z ${PROBLEM} ]]; then
      say "not in use: $(key_name "${index}")"
      READY+=("${index}")
      continue
    fi
    NOT_READY=$((NOT_READY + 1))
    printf '%s: %s %s\n' "${STATE}" "$(key_name "${index}")" "${PROBLEM}" >&2
  done < <(selected replace retire)
}

# set_enabled ID true|false
set_enabled() {
  request PATCH "$(key_path "$1")" "{\"enabled\":$2}"
  if [[ $2 == false && ${STATUS} == 4?? ]]; then
    record refused "$1"
  fi
  expect 'type == "object" and .id == $id and (.enabled | tostring) == $enabled' --arg id "$1" --arg enabled "$2"
}

# --- Stages -----------------------------------------------------------------------------------------------------------

stage_create() {
  local index
  refuse_terraform
  prepare_secrets
  require_tool
  check_addresses
  log_in_from_environment
  ((${#TAGS[@]} > 0)) || say 'no replacement is planned'
  for index in "${!TAGS[@]}"; do
    if waits_for_decision "${index}"; then
      say "${TAGS[index]}: not created, because a person must decide first (--include-ask)"
    else
      create_replacement "${index}"
    fi
  done
  [[ ${INCOMPLETE} == false ]] || exit 1
}

waits_for_decision() {
  [[ ${NEED_DECISION[$1]} == true && ${WITH_ASK} == false ]]
}

has_secret_file() {
  [[ -n ${KEYSUNSET_SECRETS-} && -e $(secret_file "$1") ]]
}

# Logs in with the new key: from its file, or with the credential of the environment if that is the new key.
log_in_as_new_key() {
  local index=$1 file=''
  [[ -z ${KEYSUNSET_SECRETS-} ]] || file=$(secret_file "${index}")
  if [[ -n ${file} && -e ${file} ]]; then
    jq -se 'length == 1 and (.[0] | (.id | test("^(mdb_sa_id_)?[0-9a-fA-F]{24}$"))
      and ([.clientId // .publicKey, .clientSecret // .privateKey] | all(.[]; test("^[A-Za-z0-9_-]+$")))
      and .baseUrl == $url)' --arg url "${BASE_URL}" "${file}" >/dev/null 2>&1 ||
      die "$(quoted "${file}") is not the file of a new key of ${BASE_URL}" \
        'set KEYSUNSET_SECRETS to a folder for this deployment alone'
    log_in "$(jq -r '.clientId // .publicKey' "${file}")" "$(jq -r '.clientSecret // .privateKey' "${file}")" "${file}"
    NEW_ID=$(jq -r .id "${file}")
  else
    [[ -n ${ENV_PUBLIC} ]] || die "the private key of ${TAGS[index]} is not here" \
      'set KEYSUNSET_SECRETS to the folder with its file, or KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY to this key'
    log_in_from_environment
    find_replacement "${index}"
    [[ -n ${FOUND} ]] || die "no key of $(place "${index}") has the tag ${TAGS[index]}" 'run create'
    [[ $(pick "${FOUND}" .publicKey) == "${ENV_PUBLIC}" ]] ||
      die "KEYSUNSET_PUBLIC_KEY is not the new key of ${TAGS[index]}" \
        'set KEYSUNSET_SECRETS to the folder with its file'
    NEW_ID=$(pick "${FOUND}" .id)
  fi
}

stage_check() {
  local index problems=0
  ((${#TAGS[@]} > 0)) || say 'no replacement is planned'
  for index in "${!TAGS[@]}"; do
    if waits_for_decision "${index}"; then
      say "${TAGS[index]}: not checked, because a person must decide first (--include-ask)"
      continue
    fi
    # The credential of the environment is one of several new keys.
    if ((${#TAGS[@]} > 1)) && ! has_secret_file "${index}" && ! (log_in_as_new_key "${index}") >/dev/null 2>&1; then
      if [[ -n $(passed_check "${index}") ]]; then
        say "${TAGS[index]}, $(place "${index}"): passed check before"
      else
        printf 'not checked: %s, %s: run check with this key, too\n' "${TAGS[index]}" "$(place "${index}")" >&2
        problems=1
      fi
      continue
    fi
    log_in_as_new_key "${index}"
    # Without a line after it, this check failed.
    record checking "${NEW_ID}" "${index}"
    request GET "$(keys_path "${index}")/${NEW_ID}"
    # A global key logs in, but not each of them may read the global keys.
    if [[ -z ${ORG_IDS[index]} && ${STATUS} == 401 && -n ${ERROR_CODE} && -n ${ENV_PUBLIC} ]]; then
      log_in_from_environment
      request GET "$(keys_path "${index}")/${NEW_ID}"
    fi
    take_replacement "${index}" "${NEW_ID}"
    [[ $(pick "${FOUND}" '(.desc // "") | split(" ")[0]') == "${TAGS[index]}" ]] ||
      die "key ${NEW_ID} of $(place "${index}") does not have the tag ${TAGS[index]}" 'run keysunset plan again'
    compare_roles "${index}" "${FOUND}"
    if [[ -z ${MISSING}${EXTRA} ]]; then
      record check "${NEW_ID}" "${index}"
      say "works: key ${NEW_ID} of $(place "${index}") has the planned roles"
      continue
    fi
    if [[ -z ${EXTRA} && ${FEWER_ROLES} == true ]]; then
      record check "${NEW_ID}" "${index}" '' "${MISSING}"
      say "works: key ${NEW_ID} of $(place "${index}") has fewer roles than planned; missing: $(quoted "${MISSING}")"
      continue
    fi
    problems=1
    printf 'error: key %s of %s has other roles than planned\n' "${NEW_ID}" "$(place "${index}")" >&2
    if [[ -n ${MISSING} ]] && was_complete "${index}" "${NEW_ID}"; then
      printf '  missing: %s; use create --set-roles, or check --fewer-roles if a person took them away\n' \
        "$(quoted "${MISSING}")" >&2
    elif [[ -n ${MISSING} ]]; then
      printf '  missing: %s; run create again\n' "$(quoted "${MISSING}")" >&2
    fi
    [[ -z ${EXTRA} ]] || printf '  not in the plan: %s; remove them, or plan again\n' "$(quoted "${EXTRA}")" >&2
  done
  ((problems == 0)) || exit 1
}

stage_verify() {
  log_in_from_environment
  verify_keys
  ((NOT_READY == 0)) || exit 1
}

stage_disable() {
  local index
  log_in_from_environment
  verify_keys
  if ((NOT_READY > 0)); then
    die 'no key was disabled' "run create and check, and move the client to the new key; the journal of check must be beside \
this script; use --wave N to disable the keys of another wave, and --without-check for keys that need no replacement"
  fi
  for index in ${READY[@]+"${READY[@]}"}; do
    if [[ -n ${KEY_SUFFIXES[index]} && ${ENV_PRIVATE//-/} == *"${KEY_SUFFIXES[index]}" ]]; then
      die "$(key_name "${index}") is the credential of this script" 'set another credential'
    fi
    # The line before the request lets rollback find the key if the answer is lost.
    record disabling "${KEY_IDS[index]}"
    set_enabled "${KEY_IDS[index]}" false
    record disable "${KEY_IDS[index]}"
    say "disabled: $(key_name "${index}")"
  done
}

stage_rollback() {
  local id ids
  log_in_from_environment
  ids=$(disabled_here)
  [[ -n ${ids} ]] || say 'the journal has no key that this script disabled'
  for id in ${ids}; do
    require_id "${id}" 'a key of the journal'
    read_key "${id}"
    case ${KEY_STATE} in
      gone)
        say "gone: key ${id} was deleted and cannot be enabled"
        continue ;;
      disabled) set_enabled "${id}" true ;;
      *) ;;
    esac
    record rollback "${id}"
    say "enabled: key ${id}"
  done
}

# What an owner does in the user interface, since an administrator cannot delete another user's key.
print_manual_deletion() {
  printf '%s\n' "not deleted: $(key_name "$1"): only its owner can delete it" >&2
  printf '  %s\n' "The owner $(quoted "${OWNER_NAME}") deletes it in the user interface:" \
    'Account > Public API Access > API Keys > Delete.' \
    '"disabled" is the final state that an administrator can reach.' >&2
}

stage_delete() {
  local index problems=0
  log_in_from_environment
  while IFS= read -r index; do
    read_key "${KEY_IDS[index]}"
    if [[ ${KEY_STATE} == gone ]]; then
      say "gone: $(key_name "${index}")"
      continue
    fi
    if [[ ${KEY_STATE} == enabled ]]; then
      printf 'not deleted: %s is enabled; run disable first\n' "$(key_name "${index}")" >&2
      problems=1
      continue
    fi
    PROBLEM=''
    if needs_replacement "${index}"; then
      PROBLEM=${NO_REPLACEMENT}
      [[ -z $(switched_at "${index}") ]] || find_loss "${index}"
    fi
    if [[ -n ${PROBLEM} ]]; then
      printf 'not deleted: %s %s; run check again, or rollback; --without-check deletes it all the same\n' \
        "$(key_name "${index}")" "${PROBLEM}" >&2
      problems=1
      continue
    fi
    request DELETE "$(key_path "${KEY_IDS[index]}")"
    if [[ ${STATUS} == 20[04] ]]; then
      record delete "${KEY_IDS[index]}"
      say "deleted: $(key_name "${index}")"
    elif [[ ${STATUS} == 40[13] && (${ERROR_CODE} == NOT_SELF || ${ERROR_CODE} == USER_UNAUTHORIZED ||
      ${ERROR_CODE} == ACCESS_FORBIDDEN) ]]; then
      print_manual_deletion "${index}"
      problems=1
    else
      refused
    fi
  done < <(selected replace retire delete-only)
  ((problems == 0)) || exit 1
}

# --- Dry run and description ------------------------------------------------------------------------------------------

# show METHOD PATH [BODY]
show() {
  printf '  %s %s%s\n' "$1" "$(url_of "$2")" "${3:+ $3}"
}

# Prints the command of ARGUMENTS.
show_tool() {
  printf '  %s' "${TOOL}"
  printf ' %s' "${ARGUMENTS[@]@Q}"
  printf '\n'
}

dry_create() {
  local index project
  check_addresses
  if [[ ${TOOL} == terraform ]]; then
    say '  Terraform creates the replacements: terraform apply'
    return 0
  fi
  for index in "${!TAGS[@]}"; do
    if waits_for_decision "${index}"; then
      say "${TAGS[index]}: waits for the decision of a person (--include-ask)"
      continue
    fi
    say "${TAGS[index]}, $(place "${index}"):"
    show GET "$(keys_path "${index}")"
    if tool_works "${index}"; then
      set_create_arguments "${index}"
      show_tool
    else
      show POST "$(keys_path "${index}")" "$(new_key_body "${index}")"
    fi
    for project in ${PROJECTS[index]}; do
      dry_project "${index}" "${project%%=*}" "${project#*=}"
    done
    show GET "$(keys_path "${index}")/NEW_KEY"
    dry_entries "${index}"
  done
}

# dry_project REPLACEMENT PROJECT ROLES
dry_project() {
  if is_account "$1"; then
    show POST "/v2/groups/$2/serviceAccounts/NEW_KEY:invite" "$(roles_body "$3")"
  elif tool_works "$1"; then
    set_assign_arguments NEW_KEY "$2" "$3"
    show_tool
  else
    show PATCH "/groups/$2/apiKeys/NEW_KEY" "$(roles_body "$3")"
  fi
}

dry_entries() {
  local wanted
  wanted=$(wanted_blocks "$1")
  [[ ${wanted} != '[]' ]] || return 0
  show GET "$(list_path "$1" NEW_KEY)"
  if tool_works "$1" && set_entry_arguments "$1" NEW_KEY "$(pick "${wanted}" 'join(",")')"; then
    show_tool
  else
    show POST "$(list_path "$1" NEW_KEY)" "$(pick "${wanted}" 'map({cidrBlock: .})')"
  fi
  say '  (the address of this machine is the first entry of a list that was empty)'
}

dry_check() {
  local index
  for index in "${!TAGS[@]}"; do
    waits_for_decision "${index}" || show GET "$(keys_path "${index}")/NEW_KEY"
  done
}

dry_verify() {
  local index
  while IFS= read -r index; do
    show GET "$(key_path "${KEY_IDS[index]}")"
  done < <(selected replace retire)
  dry_replacements
}

# The looks at the replacements of the selected keys.
dry_replacements() {
  local index
  while IFS= read -r index; do
    show GET "$(keys_path "${index}")/NEW_KEY"
  done < <(selected replace | while IFS= read -r index; do
    ! needs_replacement "${index}" || replacements_of "${index}"
  done | sort -nu)
}

dry_disable() {
  local index
  dry_verify
  while IFS= read -r index; do
    show PATCH "$(key_path "${KEY_IDS[index]}")" '{"enabled":false}'
  done < <(selected replace retire)
}

dry_rollback() {
  local id
  for id in $(disabled_here); do
    require_id "${id}" 'a key of the journal'
    show GET "$(key_path "${id}")"
    show PATCH "$(key_path "${id}")" '{"enabled":true}'
  done
}

dry_delete() {
  local index
  dry_replacements
  while IFS= read -r index; do
    show GET "$(key_path "${KEY_IDS[index]}")"
    show DELETE "$(key_path "${KEY_IDS[index]}")"
  done < <(selected replace retire delete-only)
}

# What each stage does, with this plan.
describe() {
  local index stage
  say "Owner:      $(quoted "${OWNER_NAME}") (${OWNER_ID})"
  say "Deployment: $(quoted "${DEPLOYMENT}"), ${BASE_URL}, $(quoted "${PRODUCT} ${VERSION}")"
  say "Tool:       ${TOOL}"
  say "Run:        $(quoted "${RUN_ID}") of ${RUN_STARTED}"
  [[ ${WITHDRAWN} == false ]] || say 'Withdrawn:  the newest plan has no script for this owner; only rollback works'
  say 'Personal keys:'
  for index in "${!KEY_IDS[@]}"; do
    say "  $(key_name "${index}"): ${KEY_DECISIONS[index]}${KEY_WAVES[index]:+, wave ${KEY_WAVES[index]}}"
  done
  say 'Replacements:'
  for index in "${!TAGS[@]}"; do
    say "  ${TAGS[index]}, $(place "${index}"): ${ORG_ROLES[index]}${PROJECTS[index]:+ ${PROJECTS[index]}}"
  done
  for stage in create check verify disable rollback delete; do
    printf '%s: %s\n' "${stage}" "$(sed -n "s/^#   ${stage}  *//p" "${LIBRARY}")"
    "dry_${stage}"
  done
  [[ ${WITHDRAWN} == true ]] || say "Nothing was sent. Run a stage: bash ${OWNER_FILE} create"
}

# --- Start ------------------------------------------------------------------------------------------------------------

read_arguments() {
  local option
  local -a options=()
  STAGE='' DRY_RUN=false WAVE='' WITH_SELF=false WITH_ASK=false RECREATE=false INCOMPLETE=false
  SET_ROLES=false FEWER_ROLES=false WITHOUT_CHECK=false
  while (($# > 0)); do
    [[ $1 != --* ]] || options+=("$1")
    case $1 in
      create | check | verify | disable | rollback | delete)
        [[ -z ${STAGE} ]] || usage_error 'more than one stage'
        STAGE=$1 ;;
      --dry-run) DRY_RUN=true ;;
      --self) WITH_SELF=true ;;
      --without-check) WITHOUT_CHECK=true ;;
      --include-ask) WITH_ASK=true ;;
      --set-roles) SET_ROLES=true ;;
      --fewer-roles) FEWER_ROLES=true ;;
      --recreate) RECREATE=true ;;
      --wave)
        [[ ${2-} =~ ^[0-9]+$ ]] || usage_error '--wave needs a number'
        WAVE=$2
        shift ;;
      -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${LIBRARY}"
        exit 0 ;;
      *) usage_error "unknown argument $(quoted "$1")" ;;
    esac
    shift
  done
  # An option that its stage would ignore is a mistake.
  for option in ${options[@]+"${options[@]}"}; do
    case ${option} in
      --self | --wave | --without-check) require_stage "${option}" verify disable delete ;;
      --include-ask) require_stage "${option}" create check ;;
      --set-roles | --recreate) require_stage "${option}" create ;;
      --fewer-roles) require_stage "${option}" check ;;
      *) ;;
    esac
  done
}

# require_stage OPTION STAGE...: the stages with which an option works.
require_stage() {
  local option=$1
  shift
  [[ -z ${STAGE} || " $* " == *" ${STAGE} "* ]] || usage_error "${option} does not work with ${STAGE}, only with: $*"
}

# main FOLDER [ARGUMENT]...: the folder is the script's.
main() {
  local folder=$1
  shift
  JOURNAL=${folder}/${OWNER_FILE%.sh}.done
  read_arguments "$@"
  refuse_other_journal
  if [[ -z ${STAGE} ]]; then
    describe
  elif [[ ${DRY_RUN} == true ]]; then
    "dry_${STAGE}"
  else
    [[ ${WITHDRAWN} == false || ${STAGE} == rollback ]] ||
      die 'the newest plan has no script for this owner: the keys are waived or gone, or not all is known of the owner' \
        'see plan.md; `rollback` still works'
    command -v curl >/dev/null || die 'curl is not installed'
    lock
    "stage_${STAGE}"
  fi
}

[[ ${LIBRARY} != "$0" ]] || die 'this is the library of the scripts' 'run the script of an owner: bash NN-owner.sh'
take_credential
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || die "bash ${BASH_VERSION} is too old" 'use bash 4.4 or later'
command -v jq >/dev/null || die 'jq is not installed'
