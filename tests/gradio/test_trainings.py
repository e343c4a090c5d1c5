"""The tests of trainings and of a killed server, under each older generation of Gradio."""

from tests.demo.test_gradio_server import test_a_killed_server_comes_back_with_its_files
from tests.demo.test_gradio_trainings import (
    caller,
    paced,
    test_a_canceled_training_goes_on_and_the_next_trains_beside_it,
    test_a_client_that_leaves_ends_nothing,
    test_a_second_client_waits,
    test_a_session_without_a_dataset_is_not_warned,
    test_captions_are_read_beside_the_images_alone,
    test_captions_come_one_image_at_a_time,
    test_only_some_files_have_names_that_are_known,
    test_the_losses_can_be_followed_through_the_log,
    test_the_same_name_again_goes_on,
)

__all__ = [
    "caller",
    "paced",
    "test_a_canceled_training_goes_on_and_the_next_trains_beside_it",
    "test_a_client_that_leaves_ends_nothing",
    "test_a_killed_server_comes_back_with_its_files",
    "test_a_second_client_waits",
    "test_a_session_without_a_dataset_is_not_warned",
    "test_captions_are_read_beside_the_images_alone",
    "test_captions_come_one_image_at_a_time",
    "test_only_some_files_have_names_that_are_known",
    "test_the_losses_can_be_followed_through_the_log",
    "test_the_same_name_again_goes_on",
]
