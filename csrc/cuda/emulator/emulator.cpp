#include "cuda/emulator/emulator.h"

#include <sched.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <csetjmp>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace mtlbench::emulator {
namespace {

constexpr size_t kStackBytes = 256 * 1024;  // reserved, not touched: a fiber uses a few pages
constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kWarp = 32;
constexpr unsigned kDefaultResidentBlocks = 3;  // few, so that blocks own several tiles; odd, so that shares differ
constexpr unsigned kConcurrentBlocks = 8;

enum class Waits { No, ForWarp, ForBlock, Done };

struct Fiber {
  ucontext_t entry;    // how it starts
  std::jmp_buf place;  // where it goes on: _longjmp leaves the signal mask alone, swapcontext calls the kernel twice
  bool started = false;
  Waits waits = Waits::No;
  unsigned mask = 0;       // the lanes it waits for
  unsigned exchanges = 0;  // parity chooses the buffer: a fast lane must not overwrite what a slow one still reads
};

// Stacks of one block at a time, reused from block to block so that each of their pages is faulted in only once.
class Stacks {
 public:
  Stacks() {
    const std::lock_guard<std::mutex> lock(mutex());
    if (!idle().empty()) {
      memory_ = idle().back();
      idle().pop_back();
      return;
    }
    memory_ = mmap(nullptr, kMaxThreads * kStackBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) throw std::runtime_error("emulator: no memory for the stacks of a block");
  }
  ~Stacks() {
    const std::lock_guard<std::mutex> lock(mutex());
    idle().push_back(memory_);
  }
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;
  unsigned char* of(unsigned thread) const { return static_cast<unsigned char*>(memory_) + thread * kStackBytes; }

 private:
  static std::mutex& mutex() {
    static std::mutex of_all;
    return of_all;
  }
  static std::vector<void*>& idle() {
    static std::vector<void*> stacks;
    return stacks;
  }
  void* memory_ = nullptr;
};

// Runs the fibers of one block after another on the calling OS thread.
class Block {
 public:
  Block(unsigned threads, size_t shared_bytes, const std::function<void()>& kernel)
      : kernel_(kernel), fibers_(threads), slots_(2 * threads), shared_(shared_bytes + 16), order_(threads) {
    std::iota(order_.begin(), order_.end(), 0u);
  }

  void run(unsigned index, unsigned blocks);
  void yield(Waits waits, unsigned mask);
  uint64_t exchange(unsigned mask, uint64_t value, unsigned source);
  unsigned char* shared() {
    const auto address = reinterpret_cast<uintptr_t>(shared_.data());
    return shared_.data() + ((16 - address % 16) % 16);
  }

 private:
  static void enter();
  void prepare(unsigned thread);
  void resume(unsigned thread);
  bool release();

  const std::function<void()>& kernel_;
  std::vector<Fiber> fibers_;
  std::vector<uint64_t> slots_;
  std::vector<unsigned char> shared_;
  std::vector<unsigned> order_;
  Stacks stacks_;
  std::jmp_buf scheduler_;
  unsigned current_ = 0;
};

thread_local Block* running = nullptr;
std::atomic<unsigned> resident{kDefaultResidentBlocks};

#if defined(__SANITIZE_ADDRESS__)
thread_local const void* scheduler_stack = nullptr;
thread_local size_t scheduler_stack_bytes = 0;
#endif

void Block::enter() {
  Block& block = *running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
#endif
  block.kernel_();
  block.yield(Waits::Done, 0);
}

void Block::resume(unsigned thread) {
  current_ = thread;
  here().thread.x = thread;
#if defined(__SANITIZE_ADDRESS__)
  void* saved = nullptr;
  __sanitizer_start_switch_fiber(&saved, stacks_.of(thread), kStackBytes);
#endif
  if (_setjmp(scheduler_) == 0) {
    Fiber& fiber = fibers_[current_];
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    setcontext(&fiber.entry);
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(saved, nullptr, nullptr);
#endif
}

void Block::yield(Waits waits, unsigned mask) {
  Fiber& fiber = fibers_[current_];
  fiber.waits = waits;
  fiber.mask = mask;
#if defined(__SANITIZE_ADDRESS__)
  void* saved = nullptr;
  __sanitizer_start_switch_fiber(waits == Waits::Done ? nullptr : &saved, scheduler_stack, scheduler_stack_bytes);
#endif
  if (_setjmp(fiber.place) == 0) _longjmp(scheduler_, 1);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(saved, &scheduler_stack, &scheduler_stack_bytes);
#endif
}

uint64_t Block::exchange(unsigned mask, uint64_t value, unsigned source) {
  const unsigned thread = current_;
  const unsigned parity = fibers_[thread].exchanges++ % 2;
  uint64_t* buffer = slots_.data() + parity * fibers_.size();
  buffer[thread] = value;
  yield(Waits::ForWarp, mask);
  return buffer[thread - thread % kWarp + source];
}

// Resumes the fibers whose barrier or exchange is complete; false if no fiber can run.
bool Block::release() {
  bool any = false;
  const auto absent = [](const Fiber& fiber) { return fiber.waits == Waits::No || fiber.waits == Waits::ForWarp; };
  if (std::none_of(fibers_.begin(), fibers_.end(), absent)) {
    for (Fiber& fiber : fibers_) {
      if (fiber.waits == Waits::ForBlock) fiber.waits = Waits::No, any = true;
    }
    return any;
  }
  for (size_t first = 0; first < fibers_.size(); first += kWarp) {
    unsigned waiting = 0;
    unsigned wanted = 0;
    const size_t lanes = std::min<size_t>(kWarp, fibers_.size() - first);
    for (size_t lane = 0; lane < lanes; ++lane) {
      const Fiber& fiber = fibers_[first + lane];
      if (fiber.waits == Waits::ForWarp) waiting |= 1u << lane, wanted |= fiber.mask;
    }
    const unsigned exist = lanes == kWarp ? ~0u : (1u << lanes) - 1u;
    if (waiting == 0 || (wanted & exist & ~waiting) != 0) continue;
    for (size_t lane = 0; lane < lanes; ++lane) {
      if ((waiting >> lane) & 1u) fibers_[first + lane].waits = Waits::No, any = true;
    }
  }
  return any;
}

void Block::prepare(unsigned thread) {
  Fiber& fiber = fibers_[thread];
  fiber.waits = Waits::No;
  fiber.exchanges = 0;
  fiber.started = false;
  getcontext(&fiber.entry);
  fiber.entry.uc_stack.ss_sp = stacks_.of(thread);
  fiber.entry.uc_stack.ss_size = kStackBytes;
  fiber.entry.uc_link = nullptr;
  makecontext(&fiber.entry, &Block::enter, 0);
}

void Block::run(unsigned index, unsigned blocks) {
  running = this;
  here() = {{}, {index}, {static_cast<unsigned>(fibers_.size())}, {blocks}};
  std::fill(shared_.begin(), shared_.end(), 0xff);  // shared memory starts as NaN, not as zero
  for (unsigned thread = 0; thread < fibers_.size(); ++thread) prepare(thread);
  std::minstd_rand random(index + 1);
  do {
    std::shuffle(order_.begin(), order_.end(), random);
    for (const unsigned thread : order_) {
      if (fibers_[thread].waits == Waits::No) resume(thread);
    }
  } while (release());
  const auto done = [](const Fiber& fiber) { return fiber.waits == Waits::Done; };
  if (!std::all_of(fibers_.begin(), fibers_.end(), done)) {
    throw std::runtime_error("emulator: threads of a block wait for each other at different barriers");
  }
}

}  // namespace

Here& here() {
  static thread_local Here state;
  return state;
}

unsigned resident_blocks() {
  return resident;
}
void set_resident_blocks(unsigned blocks) {
  resident = blocks;
}
unsigned char* dynamic_shared() {
  return running->shared();
}
void wait_for_block() {
  running->yield(Waits::ForBlock, 0);
}
void wait_for_warp(unsigned mask) {
  running->yield(Waits::ForWarp, mask);
}
uint64_t exchange(unsigned mask, uint64_t value, unsigned source) {
  return running->exchange(mask, value, source);
}

void run(unsigned blocks, unsigned threads, size_t shared_bytes, bool cooperative,
         const std::function<void()>& kernel) {
  if (blocks == 0 || threads == 0 || threads > kMaxThreads) throw std::runtime_error("emulator: impossible launch");
  if (cooperative && blocks > resident) throw std::runtime_error("emulator: more blocks than can wait for each other");
  std::atomic<unsigned> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      Block block(threads, shared_bytes, kernel);
      for (unsigned index = next++; index < blocks; index = next++) block.run(index, blocks);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> workers(cooperative ? blocks : std::min(blocks, kConcurrentBlocks));
  for (std::thread& worker : workers) worker = std::thread(work);
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace mtlbench::emulator

void __nanosleep(unsigned) {
  sched_yield();
}
