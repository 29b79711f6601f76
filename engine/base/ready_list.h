#pragma once

// A lock-free list by which many threads tell one loop that something has become ready. A node is
// in the list at most once; telling again while it is queued costs one load.

#include <atomic>

namespace quorate::base {

struct ReadyNode {
  std::atomic<bool> queued{false};
  ReadyNode* next = nullptr;
};

class ReadyList {
 public:
  /// Any thread. True when the node was newly queued. Call it after a seq_cst operation that made
  /// the condition visible; this load must not pass that operation.
  bool push(ReadyNode& node) noexcept {
    if (node.queued.load(std::memory_order_seq_cst)) return false;
    if (node.queued.exchange(true, std::memory_order_seq_cst)) return false;
    node.next = head_.load(std::memory_order_relaxed);
    while (!head_.compare_exchange_weak(node.next, &node, std::memory_order_seq_cst)) {
    }
    return true;
  }

  [[nodiscard]] bool empty() const noexcept {
    return head_.load(std::memory_order_seq_cst) == nullptr;
  }

  /// The loop: hands over every node, oldest first. The consumer re-arms a node with
  /// `queued.store(false)` (seq_cst) before it looks at the node's condition for the last time.
  template <typename Consume>
  void take_all(Consume consume) {
    ReadyNode* reversed = nullptr;
    for (ReadyNode* node = head_.exchange(nullptr, std::memory_order_seq_cst); node != nullptr;) {
      ReadyNode* next = node->next;
      node->next = reversed;
      reversed = node;
      node = next;
    }
    while (reversed != nullptr) {
      ReadyNode* next = reversed->next;
      consume(*reversed);
      reversed = next;
    }
  }

 private:
  std::atomic<ReadyNode*> head_{nullptr};
};

}  // namespace quorate::base
