#include "client/local/console_progress.h"

#include "client/sink/console.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

BatchInfo SomeBatch() {
  BatchInfo batch;
  batch.batch_time = Time(1357008430000);
  batch.stream_id_to_input_info[0].num_records = 1000;
  batch.stream_id_to_input_info[1].num_records = 200;
  batch.precise_scheduling_delay = std::chrono::microseconds(120);
  batch.precise_processing_delay = std::chrono::microseconds(14'200);
  return batch;
}

TEST(ConsoleProgressTest, LineSaysHowTheBatchWent) {
  BatchInfo batch = SomeBatch();
  EXPECT_EQ(ProgressLine(batch),
            "Batch 1357008430000 ms: 1200 records, delay 0.12 ms, processing 14 ms");
  batch.output_operation_infos[0].failure_reason = "no paper";
  EXPECT_EQ(ProgressLine(batch),
            "Batch 1357008430000 ms: 1200 records, delay 0.12 ms, processing 14 ms, failed");
}

TEST(ConsoleTest, PrintWipesTheLineOfProgressFirst) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  Console& console = Console::Get();
  console.ShowProgress("one");
  console.ShowProgress("two");
  EXPECT_TRUE(console.Print("text\n").ok());
  EXPECT_TRUE(console.Print("more\n").ok());
  console.ClearProgress();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "text\nmore\n");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "\r\033[Kone\r\r\033[Ktwo\r\r\033[K");
}

}  // namespace
}  // namespace millrace::internal
