// The threads that answer: one for each open connection.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace bitnet::http {

// Made when they are needed, up to a number; beyond it connections wait for one that has ended.
class WorkerPool final : public httplib::TaskQueue {
 public:
  explicit WorkerPool(std::size_t most) : most_(most) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() override { stop(); }

  // void or bool, by httplib's version.
  using Queued = decltype(std::declval<httplib::TaskQueue&>().enqueue(nullptr));
  Queued enqueue(std::function<void()> task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
      if (tasks_.size() > n_idle_ && threads_.size() < most_) threads_.emplace_back([this] { work(); });
    }
    changed_.notify_one();
    return Queued(true);
  }
  void shutdown() override { stop(); }

 private:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++n_idle_;
      changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      --n_idle_;
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t n_idle_ = 0;  // threads
  bool stopping_ = false;
};

}  // namespace bitnet::http
