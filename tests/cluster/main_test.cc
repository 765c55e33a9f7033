// The program of these tests, and its own worker processes.
#include <gtest/gtest.h>
#include <millrace/millrace.h>

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
