// A load generator for SocketCluster servers: one thread, epoll, Linux.
//
//   g++ -O2 -std=c++17 -DTLS -DDEFLATE -o load load.cpp -lssl -lcrypto -lz
//   (without -DTLS and its libraries there is no --tls, without -DDEFLATE and -lz no --deflate)
//
//   load rpc     --connections C --depth D         D calls of the procedure `echo` in flight on each connection
//   load pubsub  --channels N --subscribers S      N channels with S subscribers each. P publishers of their own, or with
//                --publishers P --in-flight I      P = 0 every subscriber publishes in its channel. A publication is in
//                                                  flight until it is acknowledged and has reached every subscriber
//   load connect --connections C --concurrency K   opens C connections, K at a time, as far as SocketCluster's handshake
//   load idle    --connections C                   holds C connections that do nothing but answer pings
//
//   --port P | --unix PATH, --host A, --path /socketcluster/, --tls, --deflate (what the server sends), --protocol 1|2,
//   --pid P (the server, to measure it),
//   --size B (bytes of data, at least 32), --rate R (operations or publications per second in all, instead of as many as
//   possible; the latency then counts from the moment an operation was due), --warm-up S, --seconds S
//
// Every reply and every delivery is checked: it must come exactly once, in order, with the data that was sent. One line of
// JSON tells the result; times in it are microseconds. An *operation* is a call, a delivery, a connection or a ping. The
// exit status is 1 if there was any error. Servers are expected to write JSON without spaces, as JSON.stringify does.

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#ifdef TLS
#include <openssl/ssl.h>
#endif
#ifdef DEFLATE
#include <zlib.h>
#endif

using std::string;
using Text = std::string_view;
using Nanoseconds = int64_t;

// ---- small tools

constexpr Nanoseconds SECOND = 1000000000;

static Nanoseconds now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * SECOND + time.tv_nsec;
}

[[noreturn]] static void fail(const string &what) {
  fprintf(stderr, "load: %s\n", what.c_str());
  exit(2);
}

// Counts of values in 64 steps for each power of two: percentiles are right within 1.6 %.
class Histogram {
  std::vector<uint64_t> counts = std::vector<uint64_t>(64 * 64);
  uint64_t total = 0;

  static int step(uint64_t value) {
    if (value < 64) return int(value);
    int exponent = 63 - __builtin_clzll(value);
    return (exponent - 5) * 64 + int(value >> (exponent - 6) & 63);
  }
  static uint64_t middle(int step) {
    if (step < 64) return step;
    int shift = step / 64 - 1;
    return (uint64_t(64 + step % 64) << shift) + (uint64_t(1) << shift) / 2;
  }

 public:
  void add(Nanoseconds value) {
    counts[step(uint64_t(std::max<Nanoseconds>(value, 0)))]++;
    total++;
  }
  double percentile(double share) const {
    uint64_t wanted = uint64_t(share * total + 0.5), seen = 0;
    for (int i = 0; i < int(counts.size()); i++)
      if (counts[i] && (seen += counts[i]) >= wanted) return middle(i) / 1e3;
    return 0;
  }
};

// ---- just enough JSON

// Where the value that begins at `at` ends; npos if there is none.
static size_t valueEnd(Text text, size_t at) {
  int depth = 0;
  for (size_t i = at; i < text.size(); i++) {
    char c = text[i];
    if (c == '"') {
      while (++i < text.size() && text[i] != '"') i += text[i] == '\\';
      if (i >= text.size()) return Text::npos;
      if (depth == 0) return i + 1;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return i > at ? i : Text::npos;  // the end of a number or word, and of what it is in
      if (--depth == 0) return i + 1;
    } else if (c == ',' && depth == 0) {
      return i > at ? i : Text::npos;
    }
  }
  return depth == 0 && text.size() > at ? text.size() : Text::npos;
}

// Calls visit(name, value) for each member of an object; false if that is malformed.
template <class Visit>
static bool members(Text object, Visit visit) {
  if (object.size() < 2 || object.front() != '{' || object.back() != '}') return false;
  for (size_t at = 1; at < object.size() - 1; at++) {
    size_t colon = valueEnd(object, at);
    if (object[at] != '"' || colon == Text::npos || object[colon] != ':') return false;
    size_t end = valueEnd(object, colon + 1);
    if (end == Text::npos || end >= object.size() || (object[end] != ',' && end != object.size() - 1)) return false;
    visit(object.substr(at + 1, colon - at - 2), object.substr(colon + 1, end - colon - 1));
    at = end;
  }
  return true;
}

// Calls visit(value) for each element of an array; false if that is malformed.
template <class Visit>
static bool elements(Text array, Visit visit) {
  if (array.size() < 2 || array.back() != ']') return false;
  for (size_t at = 1; at < array.size() - 1; at++) {
    size_t end = valueEnd(array, at);
    if (end == Text::npos) return false;
    visit(array.substr(at, end - at));
    at = end;
  }
  return true;
}

static Text unquoted(Text value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2) : Text();
}

static int64_t number(Text value, int base = 10) { return value.empty() ? -1 : strtoll(string(value).c_str(), nullptr, base); }

// ---- the command line

struct Settings {
  string mode, host = "127.0.0.1", unixPath, path = "/socketcluster/";
  int port = 8000, protocol = 2, pid = 0;
  int connections = 100, depth = 1, concurrency = 50, channels = 1, subscribers = 100, publishers = 1, inFlight = 1;
  size_t size = 32;
  double rate = 0, warmUp = 1, seconds = 5;
  bool tls = false, deflate = false;
};

static Settings settings;

static void readCommandLine(int count, char **words) {
  auto &s = settings;
  std::map<string, std::function<void(const char *)>> options;
  auto text = [&](const char *name, string &to) { options[name] = [&to](const char *word) { to = word; }; };
  auto integer = [&](const char *name, auto &to) { options[name] = [&to](const char *word) { to = atoi(word); }; };
  auto real = [&](const char *name, double &to) { options[name] = [&to](const char *word) { to = atof(word); }; };
  text("--host", s.host), text("--unix", s.unixPath), text("--path", s.path);
  integer("--port", s.port), integer("--protocol", s.protocol), integer("--pid", s.pid);
  integer("--connections", s.connections), integer("--depth", s.depth), integer("--concurrency", s.concurrency);
  integer("--channels", s.channels), integer("--subscribers", s.subscribers), integer("--publishers", s.publishers);
  integer("--in-flight", s.inFlight), integer("--size", s.size);
  real("--rate", s.rate), real("--warm-up", s.warmUp), real("--seconds", s.seconds);
  if (count < 2) fail("what to do? rpc, pubsub, connect or idle; the head of load.cpp tells more");
  s.mode = words[1];
  for (int i = 2; i < count; i++) {
    if (!strcmp(words[i], "--tls") || !strcmp(words[i], "--deflate")) {
      (words[i][2] == 't' ? s.tls : s.deflate) = true;
      continue;
    }
    auto option = options.find(words[i]);
    if (option == options.end()) fail(string("there is no option ") + words[i]);
    if (++i == count) fail(string(words[i - 1]) + " needs a value");
    option->second(words[i]);
  }
  if (s.size < 32) fail("--size must be at least 32: that much is needed to recognise data");
}

// ---- what is counted

struct Counters {
  uint64_t operations = 0, publications = 0, pings = 0;
};
static Counters counters;
static Histogram latencies;
static bool isMeasuring = false, isIssuing = true;

struct Errors {
  uint64_t protocol = 0, wrong = 0, disordered = 0, lost = 0, connection = 0;
  string first;

  void add(uint64_t &kind, const string &what) {
    kind++;
    if (first.empty()) first = what.substr(0, 300);
  }
  uint64_t total() const { return protocol + wrong + disordered + lost + connection; }
};
static Errors errors;

static void operationDone(Nanoseconds since) {
  counters.operations++;
  if (isMeasuring) latencies.add(now() - since);
}

// The data of operation `sequence` of somebody: 8, 8 and 16 hexadecimal digits, then a filling up to the size that was asked for.
static string filling;

static void appendData(string &to, uint32_t who, uint32_t sequence, Nanoseconds time) {
  char key[33];
  snprintf(key, sizeof key, "%08x%08x%016llx", who, sequence, (unsigned long long)time);
  to.append(key, 32).append(filling);
}

static bool isData(Text data) { return data.size() == 32 + filling.size() && data.substr(32) == filling; }

// ---- connections

enum class State { connecting, securing, upgrading, handshaking, subscribing, ready, closing, closed };

struct Connection {
  int id = 0, descriptor = -1;
  State state = State::connecting;
  string in, fragments, out;
  size_t inStart = 0, outStart = 0;
  bool isDirty = false, isDeflated = false;
  uint32_t watched = 0;
  Nanoseconds began = 0;
  // of a caller or publisher: what it has sent, and when
  uint32_t sent = 0, answered = 0;
  std::deque<Nanoseconds> times;
  // of a publisher or subscriber
  int channel = -1, publisher = -1;
  bool isSubscriber = false;
  uint64_t deliveries = 0;                // of what this publisher has published
  std::vector<uint32_t> expected;         // the next sequence number of each publisher in the channel
#ifdef TLS
  SSL *ssl = nullptr;
#endif
#ifdef DEFLATE
  z_stream inflater{};
#endif
};

// What is measured: told of everything that happens.
struct Scenario {
  virtual ~Scenario() = default;
  virtual void opened(Connection &) {}
  virtual void answered(Connection &, int64_t callId, Text data) = 0;
  virtual void delivered(Connection &, Text, Text) { errors.add(errors.protocol, "a publication that nobody subscribed to"); }
};

static Scenario *scenario;
static std::vector<std::unique_ptr<Connection>> connections;
static std::vector<Connection *> dirty;
static int poller;
static int openCount = 0, readyCount = 0;
#ifdef TLS
static SSL_CTX *secureContext;
#endif

// What is left of a packet's call ids after those of the handshake and the subscription.
constexpr uint32_t FIRST_CALL = 3;
constexpr int WOULD_BLOCK = -1, BROKEN = -2;

static void watch(Connection &c, uint32_t events) {
  if (events == c.watched) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &c;
  epoll_ctl(poller, c.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c.descriptor, &event);
  c.watched = events;
}

static void drop(Connection &c) {
  if (c.state == State::closed) return;
#ifdef TLS
  if (c.ssl) SSL_free(c.ssl), c.ssl = nullptr;
#endif
#ifdef DEFLATE
  inflateEnd(&c.inflater);
#endif
  linger reset{1, 0};  // leaves no port in TIME_WAIT behind
  setsockopt(c.descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(c.descriptor);
  c.state = State::closed;
  c.watched = 0;
  openCount--;
}

static void lost(Connection &c, const string &why) {
  if (c.state != State::closing) errors.add(errors.connection, why);
  drop(c);
}

static ssize_t receive(Connection &c, char *buffer, size_t size) {
#ifdef TLS
  if (c.ssl) {
    int count = SSL_read(c.ssl, buffer, int(size));
    if (count > 0) return count;
    int error = SSL_get_error(c.ssl, count);
    return error == SSL_ERROR_WANT_READ ? WOULD_BLOCK : error == SSL_ERROR_ZERO_RETURN ? 0 : BROKEN;
  }
#endif
  ssize_t count = recv(c.descriptor, buffer, size, 0);
  return count >= 0 ? count : errno == EAGAIN ? WOULD_BLOCK : BROKEN;
}

static ssize_t transmit(Connection &c, const char *data, size_t size) {
#ifdef TLS
  if (c.ssl) {
    int count = SSL_write(c.ssl, data, int(size));
    return count > 0 ? count : SSL_get_error(c.ssl, count) == SSL_ERROR_WANT_WRITE ? WOULD_BLOCK : BROKEN;
  }
#endif
  ssize_t count = send(c.descriptor, data, size, MSG_NOSIGNAL);
  return count >= 0 ? count : errno == EAGAIN ? WOULD_BLOCK : BROKEN;
}

static void markDirty(Connection &c) {
  if (!c.isDirty) c.isDirty = true, dirty.push_back(&c);
}

static void flush(Connection &c) {
  c.isDirty = false;
  if (c.state == State::closed || c.state <= State::securing) return;
  while (c.outStart < c.out.size()) {
    ssize_t count = transmit(c, c.out.data() + c.outStart, c.out.size() - c.outStart);
    if (count == WOULD_BLOCK) return watch(c, EPOLLIN | EPOLLOUT);
    if (count < 0) return lost(c, string("cannot send: ") + strerror(errno));
    c.outStart += count;
  }
  c.out.clear();
  c.outStart = 0;
  watch(c, EPOLLIN);
}

static void flushAll() {
  for (size_t i = 0; i < dirty.size(); i++) flush(*dirty[i]);
  dirty.clear();
}

static uint64_t nextRandom() {  // xorshift
  static uint64_t state = uint64_t(now()) | 1;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

static void sendFrame(Connection &c, int opcode, Text payload) {
  char head[14] = {char(0x80 | opcode)};
  size_t length = payload.size(), used = 2;
  int lengthBytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  head[1] = char(0x80 | (lengthBytes == 0 ? int(length) : lengthBytes == 2 ? 126 : 127));
  for (int i = lengthBytes - 1; i >= 0; i--) head[used++] = char(uint64_t(length) >> (8 * i));
  uint64_t mask = nextRandom() >> 32;
  memcpy(head + used, &mask, 4);
  mask |= mask << 32;
  c.out.append(head, used + 4);
  size_t start = c.out.size();
  c.out.append(payload);
  char *data = &c.out[start];
  for (size_t i = 0; i < length; i += 8) {  // eight bytes at once, then what is left
    uint64_t word = 0;
    size_t count = std::min<size_t>(8, length - i);
    memcpy(&word, data + i, count);
    word ^= mask;
    memcpy(data + i, &word, count);
  }
  markDirty(c);
}

static void sendText(Connection &c, Text text) { sendFrame(c, 1, text); }

// ---- opening

static void connectTo(Connection &c) {
  sockaddr_storage address{};
  socklen_t length;
  if (settings.unixPath.empty()) {
    auto &inet = reinterpret_cast<sockaddr_in &>(address);
    inet.sin_family = AF_INET;
    inet.sin_port = htons(uint16_t(settings.port));
    if (inet_pton(AF_INET, settings.host.c_str(), &inet.sin_addr) != 1) fail("--host must be an IPv4 address");
    length = sizeof inet;
  } else {
    auto &local = reinterpret_cast<sockaddr_un &>(address);
    local.sun_family = AF_UNIX;
    strncpy(local.sun_path, settings.unixPath.c_str(), sizeof local.sun_path - 1);
    length = sizeof local;
  }
  c.descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c.descriptor < 0) fail(string("no socket: ") + strerror(errno));
  int on = 1;
  if (settings.unixPath.empty()) setsockopt(c.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  c.began = now();
  c.state = State::connecting;
  openCount++;
  while (connect(c.descriptor, reinterpret_cast<sockaddr *>(&address), length) && errno != EINPROGRESS) {
    if (errno != EAGAIN) fail(string("cannot connect: ") + strerror(errno));
    usleep(1000);  // a Unix socket whose backlog is full
  }
  watch(c, EPOLLOUT);
}

static void upgrade(Connection &c) {
  // The key and the answer to it are RFC 6455's own example.
  c.out = "GET " + settings.path + " HTTP/1.1\r\nHost: " + settings.host +
          "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
          (settings.deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" : "\r\n");
  c.state = State::upgrading;
  flush(c);
}

static void secure(Connection &c) {
#ifdef TLS
  if (!c.ssl) {
    c.ssl = SSL_new(secureContext);
    SSL_set_fd(c.ssl, c.descriptor);
    SSL_set_connect_state(c.ssl);
    c.state = State::securing;
  }
  int result = SSL_do_handshake(c.ssl);
  if (result == 1) return upgrade(c);
  int error = SSL_get_error(c.ssl, result);
  if (error == SSL_ERROR_WANT_READ) return watch(c, EPOLLIN);
  if (error == SSL_ERROR_WANT_WRITE) return watch(c, EPOLLIN | EPOLLOUT);
#endif
  lost(c, "the TLS handshake failed");
}

static void upgraded(Connection &c) {
  size_t end = c.in.find("\r\n\r\n");
  if (end == string::npos) return;
  if (c.in.compare(0, 12, "HTTP/1.1 101") || c.in.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") > end) {
    errors.add(errors.protocol, "not upgraded: " + c.in.substr(0, end));
    return drop(c);
  }
  if (settings.deflate != (c.in.find("permessage-deflate") < end)) {
    errors.add(errors.protocol, "compression was not agreed on, or without being asked for");
    return drop(c);
  }
#ifdef DEFLATE
  if (settings.deflate) inflateInit2(&c.inflater, -15);
#endif
  c.inStart = end + 4;
  c.state = State::handshaking;
  sendText(c, R"({"event":"#handshake","data":{"authToken":null},"cid":1})");
}

static void becomeReady(Connection &c) {
  c.state = State::ready;
  readyCount++;
  scenario->opened(c);
}

static void handshaken(Connection &c) {
  if (!c.isSubscriber) return becomeReady(c);
  c.state = State::subscribing;
  sendText(c, R"({"event":"#subscribe","data":{"channel":"c)" + std::to_string(c.channel) + R"("},"cid":2})");
}

// ---- receiving

static void packetReceived(Connection &c, Text packet) {
  Text event, data, error;
  int64_t answeredId = -1;
  bool isWhole = members(packet, [&](Text name, Text value) {
    if (name == "event") event = unquoted(value);
    else if (name == "data") data = value;
    else if (name == "rid") answeredId = number(value);
    else if (name == "error") error = value;
  });
  if (!isWhole) return errors.add(errors.protocol, "no packet: " + string(packet));
  if (!error.empty()) return errors.add(errors.protocol, "an error: " + string(packet));
  if (event == "#publish") {
    Text channel, published;
    members(data, [&](Text name, Text value) { (name == "channel" ? channel : published) = unquoted(value); });
    return scenario->delivered(c, channel, published);
  }
  if (answeredId < 0) return;  // another event, which is none of our business
  if (c.state == State::handshaking && answeredId == 1) return handshaken(c);
  if (c.state == State::subscribing && answeredId == 2) return becomeReady(c);
  scenario->answered(c, answeredId, unquoted(data));
}

static void textReceived(Connection &c, Text text) {
  if (text == (settings.protocol == 1 ? "#1" : "")) {
    counters.pings++;
    return sendText(c, settings.protocol == 1 ? "#2" : "");
  }
  if (text.empty() || text == "#1") return;  // the other version's ping: a server may ask which one we speak
  if (text[0] != '[') return packetReceived(c, text);
  if (!elements(text, [&](Text packet) { packetReceived(c, packet); })) errors.add(errors.protocol, "no batch: " + string(text));
}

static string inflated([[maybe_unused]] Connection &c, string payload) {
  string whole;
#ifdef DEFLATE
  payload.append("\x00\x00\xff\xff", 4);  // what RFC 7692 leaves off
  auto &z = c.inflater;
  z.next_in = reinterpret_cast<unsigned char *>(payload.data());
  z.avail_in = unsigned(payload.size());
  do {
    static char buffer[1 << 16];
    z.next_out = reinterpret_cast<unsigned char *>(buffer);
    z.avail_out = sizeof buffer;
    int status = inflate(&z, Z_SYNC_FLUSH);
    if (status != Z_OK && status != Z_BUF_ERROR) errors.add(errors.protocol, "cannot inflate");
    whole.append(buffer, sizeof buffer - z.avail_out);
  } while (z.avail_out == 0);
#endif
  return whole;
}

static void frameReceived(Connection &c, int head, Text payload) {
  int opcode = head & 15;
  bool isFinal = head & 0x80;
  if (opcode == 1) c.isDeflated = settings.deflate && head & 0x40;
  if (head & (opcode == 1 && c.isDeflated ? 0x30 : 0x70)) errors.add(errors.protocol, "an extension that was not agreed on");
  if (opcode == 1 && isFinal && !c.isDeflated) return textReceived(c, payload);
  if (opcode <= 1) {
    c.fragments.append(payload);
    if (!isFinal) return;
    string whole = std::move(c.fragments);
    c.fragments.clear();
    return textReceived(c, c.isDeflated ? inflated(c, std::move(whole)) : whole);
  }
  if (opcode == 9) return sendFrame(c, 10, payload);
  if (opcode == 8) {
    int code = payload.size() >= 2 ? uint8_t(payload[0]) << 8 | uint8_t(payload[1]) : 1005;
    return lost(c, "closed by the server: " + std::to_string(code) + " " + string(payload.substr(std::min<size_t>(2, payload.size()))));
  }
  if (opcode != 10) errors.add(errors.protocol, "a frame of an unknown kind");
}

static void framesReceived(Connection &c) {
  while (c.state != State::closed) {
    Text rest = Text(c.in).substr(c.inStart);
    auto byte = [&](size_t i) { return uint8_t(rest[i]); };
    if (rest.size() < 2) break;
    size_t length = byte(1), start = 2;
    int lengthBytes = length < 126 ? 0 : length == 126 ? 2 : 8;
    start += lengthBytes;
    if (rest.size() < start) break;
    if (lengthBytes) length = 0;
    for (int i = 0; i < lengthBytes; i++) length = length << 8 | byte(2 + i);
    if (rest.size() - start < length) break;
    c.inStart += start + length;
    frameReceived(c, byte(0), rest.substr(start, length));
  }
  c.in.erase(0, c.inStart);
  c.inStart = 0;
}

static void readable(Connection &c) {
  static char buffer[1 << 18];
  do {
    ssize_t count = receive(c, buffer, sizeof buffer);
    if (count == WOULD_BLOCK) return;
    if (count <= 0) return lost(c, count == 0 ? "the server has hung up" : string("cannot receive: ") + strerror(errno));
    c.in.append(buffer, count);
    if (c.state == State::upgrading) upgraded(c);
    if (c.state >= State::handshaking) framesReceived(c);
  } while (settings.tls && c.state != State::closed);  // OpenSSL may hold more than the kernel does
}

static void happened(Connection &c, uint32_t events) {
  if (c.state == State::closed) return;
  if (c.state == State::connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c.descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) return lost(c, string("cannot connect: ") + strerror(error));
    return settings.tls ? secure(c) : upgrade(c);
  }
  if (c.state == State::securing) return secure(c);
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
  if (events & EPOLLOUT) markDirty(c);
}

// Waits until something happens, at most as long as given, and lets it happen.
static void turn(Nanoseconds longest) {
  flushAll();
  static epoll_event events[512];
  longest = std::max<Nanoseconds>(longest, 0);
  timespec timeout{time_t(longest / SECOND), long(longest % SECOND)};
  int count = epoll_pwait2(poller, events, 512, &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail(string("epoll_pwait2: ") + strerror(errno));
  for (int i = 0; i < count; i++) happened(*static_cast<Connection *>(events[i].data.ptr), events[i].events);
  flushAll();
}

template <class Condition>
static bool turnUntil(Condition isDone, double seconds) {
  Nanoseconds end = now() + Nanoseconds(seconds * SECOND);
  while (!isDone() && now() < end) turn(std::min<Nanoseconds>(end - now(), SECOND / 50));
  return isDone();
}

static Connection &add() {
  connections.push_back(std::make_unique<Connection>());
  connections.back()->id = int(connections.size()) - 1;
  return *connections.back();
}

// Opens the connections from `first` on, a few at a time.
static void openFrom(size_t first) {
  size_t next = first;
  int before = readyCount;
  auto isDone = [&] {
    while (next < connections.size() && int(next - first) - (readyCount - before) < settings.concurrency) connectTo(*connections[next++]);
    return readyCount - before == int(connections.size() - first) || errors.total() > 100;
  };
  if (!turnUntil(isDone, 120) || errors.total()) fail("not all connections could be opened: " + errors.first);
}

// Closes all connections as a client should, so that the next measurement finds the server at rest.
static void closeAll() {
  for (auto &each : connections)
    if (each->state == State::ready) {
      sendFrame(*each, 8, Text("\x03\xe8", 2));
      each->state = State::closing;
    }
  turnUntil([] { return openCount == 0; }, 3);
  for (auto &each : connections) drop(*each);
}

// ---- scenarios

// Those who issue operations, as fast as they may or at a fixed rate.
struct Loading : Scenario {
  std::vector<Connection *> workers;
  size_t turnOf = 0;
  Nanoseconds due = 0;

  virtual bool mayIssue(const Connection &) const = 0;
  virtual void issue(Connection &, Nanoseconds) = 0;
  virtual bool isDrained() const = 0;
  virtual uint64_t missing() const = 0;

  void proceed(Connection &c) {
    if (settings.rate == 0 && isIssuing)
      while (mayIssue(c)) issue(c, now());
  }

  Nanoseconds issueDue() {
    Nanoseconds gap = Nanoseconds(SECOND / settings.rate), time = now();
    while (due <= time) {
      size_t tried = 0;
      while (tried < workers.size() && !mayIssue(*workers[turnOf % workers.size()])) turnOf++, tried++;
      if (tried == workers.size()) return SECOND / 1000;  // all are busy: it stays due, and its latency grows
      issue(*workers[turnOf++ % workers.size()], due);
      due += gap;
    }
    return due - time;
  }

  void run(double seconds) {
    Nanoseconds end = now() + Nanoseconds(seconds * SECOND);
    if (!due) due = now();
    while (now() < end) {
      Nanoseconds wait = settings.rate > 0 ? issueDue() : SECOND / 50;
      turn(std::min(wait, end - now()));
    }
  }

  void drain() {
    isIssuing = false;
    turnUntil([&] { return isDrained() || errors.total(); }, 10);
    turnUntil([] { return false; }, 0.05);  // nothing may come twice
    if (!isDrained()) errors.add(errors.lost, "something has never come"), errors.lost += std::max<uint64_t>(missing(), 1) - 1;
  }
};

struct Calling : Loading {
  Calling() {
    for (int i = 0; i < settings.connections; i++) workers.push_back(&add());
  }
  bool mayIssue(const Connection &c) const override { return c.state == State::ready && int(c.sent - c.answered) < settings.depth; }
  void issue(Connection &c, Nanoseconds time) override {
    static string packet;
    packet = R"({"event":"echo","data":")";
    appendData(packet, c.id, c.sent, time);
    packet += R"(","cid":)" + std::to_string(FIRST_CALL + c.sent++) + "}";
    c.times.push_back(time);
    sendText(c, packet);
  }
  void answered(Connection &c, int64_t callId, Text data) override {
    if (callId != FIRST_CALL + c.answered || c.times.empty())
      return errors.add(errors.disordered, "answer " + std::to_string(callId) + " instead of " + std::to_string(FIRST_CALL + c.answered));
    static string expected;
    expected.clear();
    appendData(expected, c.id, c.answered++, c.times.front());
    if (data != expected) errors.add(errors.wrong, "the answer has other data: " + string(data));
    operationDone(c.times.front());
    c.times.pop_front();
    proceed(c);
  }
  bool isDrained() const override { return missing() == 0; }
  uint64_t missing() const override {
    uint64_t count = 0;
    for (auto *each : workers) count += each->sent - each->answered;
    return count;
  }
};

struct Publishing : Loading {
  Publishing() {
    const auto &s = settings;
    std::vector<int> publishersOf(s.channels);
    for (int i = 0; i < s.channels * s.subscribers + s.publishers; i++) {
      Connection &c = add();
      c.isSubscriber = i < s.channels * s.subscribers;
      int place = c.isSubscriber ? i : i - s.channels * s.subscribers;
      c.channel = place % s.channels;
      if (c.isSubscriber && s.publishers) continue;
      c.publisher = publishersOf[c.channel]++;
      workers.push_back(&c);
    }
    for (auto &each : connections)
      if (each->isSubscriber) each->expected.resize(publishersOf[each->channel]);
  }
  bool mayIssue(const Connection &c) const override {
    if (c.state != State::ready) return false;
    uint64_t arrived = std::min<uint64_t>(c.answered, c.deliveries / settings.subscribers);
    return int(c.sent - arrived) < settings.inFlight;
  }
  void issue(Connection &c, Nanoseconds time) override {
    static string packet;
    packet = R"({"event":"#publish","data":{"channel":"c)" + std::to_string(c.channel) + R"(","data":")";
    appendData(packet, c.id, c.sent, time);
    packet += R"("},"cid":)" + std::to_string(FIRST_CALL + c.sent++) + "}";
    sendText(c, packet);
  }
  void answered(Connection &c, int64_t callId, Text) override {
    if (callId != FIRST_CALL + c.answered || c.answered == c.sent)
      return errors.add(errors.disordered, "an acknowledgement of " + std::to_string(callId));
    c.answered++;
    counters.publications++;
    proceed(c);
  }
  void delivered(Connection &c, Text channel, Text data) override {
    uint64_t who = isData(data) ? uint64_t(number(data.substr(0, 8), 16)) : UINT64_MAX;
    if (who >= connections.size() || connections[who]->publisher < 0 || connections[who]->channel != c.channel ||
        !c.isSubscriber || channel.size() < 2 || number(channel.substr(1)) != c.channel)
      return errors.add(errors.wrong, "a delivery of something else: " + string(data));
    Connection &publisher = *connections[who];
    uint32_t sequence = uint32_t(number(data.substr(8, 8), 16)), &expected = c.expected[publisher.publisher];
    if (sequence != expected)
      errors.add(errors.disordered, "delivery " + std::to_string(sequence) + " instead of " + std::to_string(expected));
    expected = sequence + 1;
    publisher.deliveries++;
    operationDone(number(data.substr(16, 16), 16));
    proceed(publisher);
  }
  bool isDrained() const override {
    return missing() == 0 && std::all_of(workers.begin(), workers.end(), [](auto *each) { return each->sent == each->answered; });
  }
  uint64_t missing() const override {
    int64_t count = 0;
    for (auto *each : workers) count += int64_t(each->sent) * settings.subscribers - int64_t(each->deliveries);
    return uint64_t(std::max<int64_t>(count, 0));  // less than nothing, if something came twice
  }
};

struct Connecting : Scenario {
  void opened(Connection &c) override { operationDone(c.began); }
  void answered(Connection &, int64_t, Text) override { errors.add(errors.protocol, "an answer to nothing"); }
};

// ---- what the server used

struct Usage {
  double server = 0, own = 0, time = 0;  // seconds
  long resident = 0;                     // bytes

  static Usage taken() {
    Usage usage;
    usage.time = now() / 1e9;
    timespec own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    usage.own = own.tv_sec + own.tv_nsec / 1e9;
    if (settings.pid) {
      usage.server = serverSeconds();
      usage.resident = pages() * sysconf(_SC_PAGESIZE);
    }
    return usage;
  }

 private:
  // All threads: Node collects garbage and compiles in some of its own.
  static double serverSeconds() {
    string folder = "/proc/" + std::to_string(settings.pid) + "/task";
    DIR *threads = opendir(folder.c_str());
    if (!threads) fail("there is no process " + std::to_string(settings.pid));
    double sum = 0;
    while (dirent *thread = readdir(threads)) {
      if (thread->d_name[0] == '.') continue;
      FILE *file = fopen((folder + "/" + thread->d_name + "/schedstat").c_str(), "r");
      long long spent = 0;
      if (file && fscanf(file, "%lld", &spent) != 1) fail("cannot read schedstat: the kernel does not count scheduling");
      if (file) fclose(file);
      sum += spent / 1e9;
    }
    closedir(threads);
    return sum;
  }
  static long pages() {
    FILE *file = fopen(("/proc/" + std::to_string(settings.pid) + "/statm").c_str(), "r");
    long total = 0, resident = 0;
    if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2) fail("cannot read statm");
    fclose(file);
    return resident;
  }
};

static void report(const Usage &before, const Usage &after, const Counters &from, const Counters &to, long residentAtStart) {
  double seconds = after.time - before.time;
  uint64_t pings = to.pings - from.pings;
  uint64_t operations = settings.mode == "idle" ? pings : to.operations - from.operations;
  printf("{\"mode\":\"%s\",\"connections\":%zu,\"seconds\":%.3f,\"operations\":%llu,\"operationsPerSecond\":%.1f,",
         settings.mode.c_str(), connections.size(), seconds, (unsigned long long)operations, operations / seconds);
  printf("\"publications\":%llu,\"pings\":%llu,", (unsigned long long)(to.publications - from.publications), (unsigned long long)pings);
  printf("\"latency\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f},", latencies.percentile(.5),
         latencies.percentile(.9), latencies.percentile(.99), latencies.percentile(.999));
  double spent = after.server - before.server;
  if (settings.pid)
    printf("\"server\":{\"cpuPerOperation\":%.3f,\"share\":%.4f,\"resident\":%ld,\"residentPerConnection\":%.0f},",
           operations ? spent * 1e6 / operations : 0, spent / seconds, after.resident,
           double(after.resident - residentAtStart) / connections.size());
  printf("\"generator\":{\"share\":%.3f},", (after.own - before.own) / seconds);
  string first = errors.first;
  for (char &c : first)
    if (c == '"' || c == '\\' || uint8_t(c) < 32 || uint8_t(c) > 126) c = '\'';
  printf("\"errors\":{\"total\":%llu,\"protocol\":%llu,\"wrong\":%llu,\"disordered\":%llu,\"lost\":%llu,\"connection\":%llu,"
         "\"first\":\"%s\"}}\n",
         (unsigned long long)errors.total(), (unsigned long long)errors.protocol, (unsigned long long)errors.wrong,
         (unsigned long long)errors.disordered, (unsigned long long)errors.lost, (unsigned long long)errors.connection, first.c_str());
}

// ---- modes

static void load(Loading &loading) {
  long resident = Usage::taken().resident;
  openFrom(0);
  for (auto *each : loading.workers) loading.proceed(*each);
  loading.run(settings.warmUp);
  isMeasuring = true;
  Counters from = counters;
  Usage before = Usage::taken();
  loading.run(settings.seconds);
  Usage after = Usage::taken();
  Counters to = counters;
  isMeasuring = false;
  loading.drain();
  closeAll();
  report(before, after, from, to, resident);
}

static void connectAll() {
  for (int i = 0; i < settings.connections / 2; i++) add();  // to warm up
  openFrom(0);
  closeAll();
  connections.clear();
  turnUntil([] { return false; }, settings.warmUp);
  for (int i = 0; i < settings.connections; i++) add();
  isMeasuring = true;
  Counters from = counters;
  Usage before = Usage::taken();
  openFrom(0);
  Usage after = Usage::taken();
  Counters to = counters;
  closeAll();
  report(before, after, from, to, before.resident);
}

static void idle() {
  long resident = Usage::taken().resident;
  for (int i = 0; i < settings.connections; i++) add();
  openFrom(0);
  turnUntil([] { return false; }, settings.warmUp);
  Counters from = counters;
  Usage before = Usage::taken();
  turnUntil([] { return false; }, settings.seconds);
  Usage after = Usage::taken();
  Counters to = counters;
  closeAll();
  report(before, after, from, to, resident);
}

int main(int count, char **words) {
  readCommandLine(count, words);
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1000);
  filling.assign(settings.size - 32, 'x');
  poller = epoll_create1(0);
  if (settings.tls) {
#ifdef TLS
    secureContext = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(secureContext, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
#else
    fail("this was built without TLS");
#endif
  }
#ifndef DEFLATE
  if (settings.deflate) fail("this was built without deflate");
#endif
  if (settings.mode == "rpc") {
    Calling calling;
    scenario = &calling;
    load(calling);
  } else if (settings.mode == "pubsub") {
    Publishing publishing;
    scenario = &publishing;
    load(publishing);
  } else if (settings.mode == "connect" || settings.mode == "idle") {
    Connecting connecting;
    scenario = &connecting;
    settings.mode == "connect" ? connectAll() : idle();
  } else {
    fail("there is no mode " + settings.mode);
  }
  return errors.total() ? 1 : 0;
}
