// Ctrl-C, SIGTERM and SIGHUP end a command soon and in order; a second one ends it at once, and takes along
// the files that were being written.
#pragma once

namespace bitnet::cli {

// From now on the first signal only sets a flag; SIGPIPE and SIGXFSZ, of a file that may not become so large,
// become write errors.
void catch_interrupts();
// Ends the process as SIGPIPE would have, silently; returns if whoever started it had that signal ignored.
void die_of_broken_pipe();
bool interrupted();
// Called by the handler of the first signal: may do no more than a handler may.
void on_interrupt(void (*say)());

// In a conversation Ctrl-C ends an answer and not the program: however often it comes, it only sets the flag,
// which can be taken back. SIGTERM remains as it was.
void let_interrupts_be_taken_back();
void take_back_interrupt();  // does nothing after SIGTERM
bool terminated();           // by SIGTERM or SIGHUP

}  // namespace bitnet::cli
