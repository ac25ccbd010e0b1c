#include "soak/subject.h"

#include <xxhash.h>

#include <algorithm>
#include <random>
#include <string_view>
#include <utility>

#include "bitnet/conversation.h"
#include "bitnet/error.h"

namespace bitnet::soak {

namespace {

constexpr std::size_t kCases = 40;
constexpr std::size_t kMostContext = 512;  // for models that have more; the canary has as many
constexpr Precision kPrecisions[] = {
    {}, {.kv_type = KvType::q8}, {.kv_type = KvType::f32, .activations = ActivationType::f32}};
constexpr std::string_view kTexts[] = {"The capital of France is", "Once upon a time there was a girl who",
                                       "2 + 2 =", "The opposite of hot is", "One day, Tom and his dog"};
constexpr std::string_view kSpelt[] = {
    "",
    "Hello, world!",
    "  two spaces\n\n\tand a tab  ",
    "na\xC3\xAFve caf\xC3\xA9 \xE2\x80\x94 \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E \xF0\x9F\x98\x80",
    "<|eot_id|> is spelt by the user",
    "no UTF-8: \xFF\xC3\x28 and a character cut short \xE6\x97",
    "12345678901234567890 !!!???... it's we'll THEY'VE"};

bool takes_text(const Model& model) {
  try {
    model.require_text();
    return true;
  } catch (const ModelError&) {
    return false;
  }
}

}  // namespace

bool Answer::agrees_with(const Answer& other) const {
  return tokens == other.tokens && text == other.text &&
         (logits == 0 || other.logits == 0 || logits == other.logits);
}

bool Answer::begins(const Answer& whole) const {
  // Of a character cut short an end makes U+FFFD.
  std::string_view cut = text;
  while (cut.ends_with("\xEF\xBF\xBD")) cut.remove_suffix(3);
  return tokens.size() <= whole.tokens.size() &&
         std::equal(tokens.begin(), tokens.end(), whole.tokens.begin()) &&
         std::string_view(whole.text).starts_with(cut);
}

void Digest::add(std::span<const float> values) {
  value_ = XXH3_64bits_withSeed(values.data(), values.size_bytes(), value_);
}

void Digest::add(double value) { value_ = XXH3_64bits_withSeed(&value, sizeof value, value_); }

Answer answer_of(const Model& model, Session& session, const Case& c, std::size_t n_held,
                 GenerateOptions options) {
  Sampler sampler(c.sampler, model.info().vocab);
  const std::span prompt(c.prompt);
  std::vector<TokenId> history(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(n_held));
  Answer answer;
  Digest logits;
  options.max_tokens = c.max_tokens;
  options.stop_tokens.assign(model.tokenizer().end_tokens().begin(), model.tokenizer().end_tokens().end());
  options.on_token = [&](const TokenStep& step) { logits.add(step.logits); };
  const GenerateResult result =
      generate(model, session, sampler, history, prompt.subspan(n_held), options, [&](std::string_view text) {
        answer.text += text;
        return true;
      });
  answer.tokens = result.tokens;
  if (options.all_logits) answer.logits = logits.value();
  return answer;
}

std::uint64_t score_of(const Model& model, Session& session, const Case& c) {
  Digest digest;
  const Score all = score(model, session, c.prompt, {.on_token = [&](const ScoredToken& token) {
                            digest.add(token.logits);
                            digest.add(token.logprob);
                          }});
  digest.add(all.logprob);
  return digest.value();
}

Spelling spell(const Tokenizer& tokenizer, std::string text) {
  Spelling spelling{std::move(text), {}, {}, {}};
  spelling.ids = tokenizer.encode(spelling.text);
  spelling.decoded = tokenizer.decode(spelling.ids);
  Detokenizer detokenizer(tokenizer);
  for (const TokenId id : spelling.ids) detokenizer.push(id, spelling.shown);
  detokenizer.flush(spelling.shown);
  return spelling;
}

Subject::Subject(const std::string& file, std::uint64_t seed)
    : path(file),
      model(Model::load(path)),
      ctx_size(std::min(model.info().context_length, kMostContext)),
      scheduler(model, {.ctx_size = ctx_size,
                        .n_sequences = 6,
                        .kv_tokens = 2 * ctx_size,  // fewer than they want together
                        .n_threads = 1}),
      session(model, {.ctx_size = ctx_size, .n_threads = 1}) {
  make_cases(seed);
  for (const Case& c : cases) {
    answers.push_back(fresh_answer(c));
    Session fresh(model, {.ctx_size = ctx_size,
                          .n_threads = 1,
                          .kv_type = c.precision.kv_type,
                          .activations = c.precision.activations});
    scores.push_back(score_of(model, fresh, c));
  }
  if (!takes_text(model)) return;
  for (const std::string_view text : kSpelt) {
    try {
      spellings.push_back(spell(model.tokenizer(), std::string(text)));
    } catch (const UsageError&) {  // a byte that the vocabulary has no token for
    }
  }
  make_talks();
}

void Subject::make_cases(std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  const bool has_text = takes_text(model);
  std::vector<TokenId> beginning(ctx_size / 2);
  for (TokenId& id : beginning) id = TokenId{static_cast<std::int32_t>(rng() % model.info().vocab)};
  for (std::size_t i = 0; i < kCases; ++i) {
    Case c;
    c.max_tokens = 1 + rng() % (ctx_size / 8);
    if (has_text && i % 2 == 0) {
      c.prompt = model.tokenizer().encode(kTexts[i / 2 % std::size(kTexts)], {.add_bos = true});
    }
    // Many begin alike, so that there is something to share.
    if (i % 4 != 0 || c.prompt.size() < 2) {
      const std::size_t n = 2 + rng() % (beginning.size() - 2);
      c.prompt.insert(c.prompt.begin(), beginning.begin(),
                      beginning.begin() + static_cast<std::ptrdiff_t>(n));
    }
    c.sampler.seed = i;
    if (i % 3 != 0) c.sampler.temperature = 0.6F + 0.1F * static_cast<float>(i % 5);
    if (i % 3 == 1) c.sampler.top_p = 0.9F;
    if (i % 5 == 2) c.sampler.top_k = 20;
    if (i % 7 == 3) c.sampler.repeat_penalty = 1.2F;
    c.precision = kPrecisions[i % 5 < 3 ? 0 : i % 5 - 2];
    cases.push_back(std::move(c));
  }
}

Answer Subject::fresh_answer(const Case& c) const {
  Session fresh(model, {.ctx_size = ctx_size,
                        .n_threads = 1,
                        .kv_type = c.precision.kv_type,
                        .activations = c.precision.activations});
  return answer_of(model, fresh, c, 0, {.all_logits = true, .draft = {.max_tokens = 0}});
}

void Subject::make_talks() {
  const ChatChoice choice = choose_chat_template(model.chat_hints(), model.tokenizer());
  if (!choice.chosen || *choice.chosen == ChatTemplate::raw) return;
  form.emplace(*choice.chosen, thinking_forms(*choice.chosen, model.chat_hints(), model.tokenizer()).unasked);
  talks = {{{"What is 3+4?", "What color is the sky?", "And what is the opposite of hot?"}, {}},
           {{"Tell me about the sea.", "What is 3+4?"}, {}},
           {{"What is a verb?"}, {}}};
  for (Talk& talk : talks) {
    Session fresh(model, {.ctx_size = ctx_size, .n_threads = 1});
    Conversation conversation(model, fresh, *form);
    for (const std::string& question : talk.questions) {
      Sampler sampler({.temperature = 0.7F, .seed = 1}, model.info().vocab);
      std::string answer;
      conversation.say(question, sampler, {.max_tokens = kTurnTokens, .draft = {.max_tokens = 0}},
                       [&](std::string_view text) {
                         answer += text;
                         return true;
                       });
      talk.answers.push_back(answer);
    }
  }
}

}  // namespace bitnet::soak
