#!/usr/bin/env bash
# PCRE2 10.42 (Debian 12: pcre2-utils 10.42-1+deb12u2): with Unicode properties (UCP), \s matches U+180E, the Mongolian
# vowel separator. Unicode took it out of White_Space in version 6.3 and made it a format character; the same library
# knows that (\p{Zs} does not match it, \p{Cf} does), and without UCP \s does not match it either.
#
# The pre-tokenizers of Llama 3, Qwen and others are patterns with \s in them, written for engines whose \s is
# White_Space. Given to PCRE2 as they stand, they cut a Mongolian word at every such character and give other token ids
# than the model was trained with. Here: the tokenizer has classes of its own (tests/tokenizer).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
apt-get -qq download pcre2-utils=10.42-1+deb12u2 2>/dev/null || {
  echo "pcre2-utils 10.42-1+deb12u2 cannot be had here"
  exit 2
}
dpkg -x pcre2-utils_*.deb .

says=$(usr/bin/pcre2test -q <<'TEST'
/\s/utf,ucp
    \x{180e}

/\p{Zs}/utf,ucp
    \x{180e}

/\p{Cf}/utf,ucp
    \x{180e}

/\s/utf
    \x{180e}
TEST
)
echo "$says"
[[ $(grep -cF '0: \x{180e}' <<<"$says") == 2 && $(grep -c 'No match' <<<"$says") == 2 ]] || {
  echo "changed: two matches (\\s with UCP, \\p{Cf}) were found, and two patterns without"
  exit 1
}
