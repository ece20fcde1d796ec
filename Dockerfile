# archsearch in a container, for NVIDIA GPUs or for the CPU:
#
#   docker build --tag archsearch:gpu .
#   docker build --tag archsearch:cpu --build-arg EXTRA=cpu .
#
# It needs no user of its own, no home and no root file system that can be written. Results go to /work:
#
#   docker run --rm --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" --volume "$PWD:/work" \
#       archsearch:cpu run space.yaml
#
# With --gpus all the image for GPUs sees them.
#
# A whole version and a release of Debian, so that a later build begins with the same. By this Python the versions
# in constraints.txt were tested.
ARG PYTHON=3.11.14
FROM python:${PYTHON}-slim-bookworm

# cpu or gpu: the extras of pyproject.toml. The images for GPUs bring CUDA along; of the node they need the driver.
ARG EXTRA=gpu

# What .dockerignore lets through: the package, and the spaces that are bundled with it.
COPY . /src
# The constraint in a variable holds for what builds the package, too, which an option would not reach.
RUN PIP_CONSTRAINT=/src/constraints.txt pip install --no-cache-dir "/src[${EXTRA}]" && rm -r /src

# By its number: Kubernetes can't tell of a name that it is not root.
RUN groupadd --gid 10001 archsearch \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home archsearch \
    && install --directory --owner 10001 --group 10001 /work
USER 10001:10001

# Nothing but /work and /tmp can be written, whoever the user is. What is worth keeping, data sets that were
# downloaded and images that were decoded, lies in /work: /tmp may be memory.
ENV HOME=/tmp KERAS_HOME=/work/cache/keras XDG_CACHE_HOME=/work/cache

WORKDIR /work
# In this form the command is the first process, which is the one that is told to stop.
ENTRYPOINT ["archsearch"]
CMD ["--help"]
