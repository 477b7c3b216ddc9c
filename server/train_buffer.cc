#include "server/train_buffer.h"

#include <algorithm>
#include <utility>

namespace espalier::server {

void TrainBuffer::Accept(v1::Accepted accepted) {
  std::lock_guard<std::mutex> lock(mutex_);
  open_ = true;
  accepted_ = std::move(accepted);
}

void TrainBuffer::Push(v1::TrainProgress progress) {
  std::lock_guard<std::mutex> lock(mutex_);
  // Epochs that pass faster than progress leaves are shown by the last of them, as a stage's steps are.
  if (!progress_.empty() && progress_.back().stage() == progress.stage() &&
      progress_.back().message() == progress.message()) {
    progress_.back() = std::move(progress);
    return;
  }
  progress_.push_back(std::move(progress));
  if (progress_.size() <= kMaxWaiting) return;
  const auto plain = std::find_if(progress_.begin(), progress_.end(),
                                  [](const v1::TrainProgress& old) { return old.message().empty(); });
  progress_.erase(plain == progress_.end() ? progress_.begin() : plain);
}

void TrainBuffer::PushCheckpoint(std::string bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  newest_ = std::move(bytes);
}

void TrainBuffer::PushResult(std::string model, v1::TrainEvent result) {
  std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
  if (!model.empty()) model_ = Outgoing{std::move(model), 0};
  result_ = std::move(result);
}

void TrainBuffer::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
}

void TrainBuffer::TakePart(std::optional<Outgoing>& file, v1::FilePart& part) {
  part.set_bytes(file->bytes.substr(file->sent, kPartBytes));
  file->sent += part.bytes().size();
  part.set_last(file->sent == file->bytes.size());
  if (part.last()) file.reset();
}

std::optional<v1::TrainEvent> TrainBuffer::Next(absl::Time now) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!open_ || done_) return std::nullopt;
  v1::TrainEvent event;
  if (accepted_) {
    *event.mutable_accepted() = *std::exchange(accepted_, std::nullopt);
  } else if (!progress_.empty() && (ended_ || now - last_progress_ >= kInterval)) {
    *event.mutable_progress() = std::move(progress_.front());
    progress_.pop_front();
    if (progress_.empty()) last_progress_ = now;
  } else if (checkpoint_ || newest_) {
    if (!checkpoint_) checkpoint_ = Outgoing{*std::exchange(newest_, std::nullopt), 0};
    TakePart(checkpoint_, *event.mutable_checkpoint());
  } else if (model_) {
    TakePart(model_, *event.mutable_model());
  } else if (result_) {
    event = *std::exchange(result_, std::nullopt);
    done_ = true;
  } else {
    return std::nullopt;
  }
  return event;
}

}  // namespace espalier::server
