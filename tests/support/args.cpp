#include "support/args.h"

namespace bitnet::test {

Args::Args(std::initializer_list<Word> words) {
  reserve(words.size());
  for (const Word& word : words) emplace_back(word.text);
}

Args with(Args args, const Args& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

}  // namespace bitnet::test
