// A terminal, seen from the side of its screen and keyboard.
#pragma once

#include <string>

namespace bitnet::test {

class Terminal {
 public:
  explicit Terminal(unsigned short columns = 80);
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal();

  bool exists() const { return terminal_ >= 0; }
  int descriptor() const { return terminal_; }  // for a child's streams

  void type(const std::string& keys) const;
  void resize(unsigned short columns) const;  // no signal tells of it
  // Reads on until this has appeared after what the last call found; false when it does not come in time.
  bool shows(const std::string& text);
  // Everything that was shown and not read yet, once the children are gone.
  std::string read_all();
  const std::string& unseen() const { return unseen_; }  // for messages

 private:
  bool read_some(int milliseconds);

  int screen_ = -1;
  int terminal_ = -1;
  std::string unseen_;
};

}  // namespace bitnet::test
