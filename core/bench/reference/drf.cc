// The decisions of a full round of dominant resource fairness and nothing else, as a yardstick for core/bench/reference.bench.ts:
// every agent's free rest goes to the role with the lowest dominant share, by an indexed heap over plain arrays.
//
//   drf <agents> <roles> <rounds>    prints {"cpuMs": each round, "checksum": …, "spread": largest - smallest share}
//
// The allocator does more: bags with ports, a tree of roles, quota, refusals, what comes back, offers with resources.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace {

constexpr int KINDS = 3;

struct Heap {
  std::vector<int> nodes, places;
  const std::vector<double>& share;
  const std::vector<int64_t>& count;

  bool precedes(int a, int b) const {
    if (share[a] != share[b]) return share[a] < share[b];
    if (count[a] != count[b]) return count[a] < count[b];
    return a < b;
  }

  void put(int place, int node) {
    nodes[place] = node;
    places[node] = place;
  }

  void sink(int place) {
    const int node = nodes[place];
    const int size = static_cast<int>(nodes.size());
    for (;;) {
      int below = 2 * place + 1;
      if (below >= size) break;
      if (below + 1 < size && precedes(nodes[below + 1], nodes[below])) below++;
      if (!precedes(nodes[below], node)) break;
      put(place, nodes[below]);
      place = below;
    }
    put(place, node);
  }

  void rise(int place) {
    const int node = nodes[place];
    while (place > 0) {
      const int above = (place - 1) / 2;
      if (!precedes(node, nodes[above])) break;
      put(place, nodes[above]);
      place = above;
    }
    put(place, node);
  }

  void moved(int node) {
    rise(places[node]);
    sink(places[node]);
  }
};

double cpuMs() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int agents = std::atoi(argv[1]), roles = std::atoi(argv[2]), rounds = std::atoi(argv[3]);
  std::vector<int64_t> free(agents * KINDS), reserved(agents * KINDS), held(roles * KINDS), count(roles);
  std::vector<int> reservedFor(agents, -1), order(agents), owner(agents);
  std::vector<double> share(roles);
  double total[KINDS] = {};
  for (int at = 0; at < agents; at++) {
    const int64_t amounts[KINDS] = {8000 + at % 5 * 1000, (16384 + at % 7 * 512) * 1000LL, 100000000};
    for (int kind = 0; kind < KINDS; kind++) total[kind] += free[at * KINDS + kind] = amounts[kind];
    if (at % 10 == 0) {
      reservedFor[at] = at * 7LL % roles;
      reserved[at * KINDS] = 2000;
      reserved[at * KINDS + 1] = 512000;
      total[0] += 2000;
      total[1] += 512000;
    }
    order[at] = at;
  }
  Heap heap{std::vector<int>(roles), std::vector<int>(roles), share, count};
  uint64_t random = 7;
  uint32_t checksum = 0;
  double spent = 0, spread = 0;

  const auto charge = [&](int role, const int64_t* amounts, int factor) {
    double dominant = 0;
    for (int kind = 0; kind < KINDS; kind++) {
      held[role * KINDS + kind] += factor * amounts[kind];
      dominant = std::max(dominant, held[role * KINDS + kind] / total[kind]);
    }
    share[role] = dominant;
    if (factor > 0) count[role]++;
  };

  for (int round = 0; round < rounds; round++) {
    // Everything has come back, which is not timed.
    std::fill(held.begin(), held.end(), 0);
    std::fill(share.begin(), share.end(), 0.0);
    for (int role = 0; role < roles; role++) heap.put(role, role);
    std::sort(heap.nodes.begin(), heap.nodes.end(), [&](int a, int b) { return heap.precedes(a, b); });
    for (int place = 0; place < roles; place++) heap.places[heap.nodes[place]] = place;

    const double start = cpuMs();
    for (int at = agents - 1; at > 0; at--) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      std::swap(order[at], order[(random >> 33) % (at + 1)]);
    }
    for (const int agent : order) {
      const int first = heap.nodes[0];
      charge(first, &free[agent * KINDS], 1);
      heap.moved(first);
      owner[agent] = first;
      if (reservedFor[agent] < 0) continue;
      charge(reservedFor[agent], &reserved[agent * KINDS], 1);
      heap.moved(reservedFor[agent]);
    }
    spent += cpuMs() - start;
    for (const int role : owner) checksum = checksum * 31 + role;
    spread = *std::max_element(share.begin(), share.end()) - *std::min_element(share.begin(), share.end());
  }
  std::printf("{\"cpuMs\": %.4f, \"checksum\": %u, \"spread\": %.6f}\n", spent / rounds, checksum, spread);
}
